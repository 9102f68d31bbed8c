/**
 * The provider's line, rebuilt from the chain's `SlotFilled` events: which slot owns which interval. The newest blocks are read again
 * each time, so that a reorg corrects it; nothing here needs to be saved.
 */
import { type ChainConnection, EventFollower } from "@ppio/daemon";

export interface Interval {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly startGwei: bigint;
  readonly endGwei: bigint;
  readonly leafCount: number;
  readonly block: number;
}

export class Inventory {
  readonly #follower: EventFollower<Interval>;
  #intervals: readonly Interval[] = [];

  constructor({ market, rpc, book }: ChainConnection, providerId: number) {
    this.#follower = new EventFollower({
      fromBlock: book.fromBlock,
      latestBlock: () => rpc.getBlockNumber(),
      query: async (from, to) => {
        const events = await market.queryFilter(market.filters.SlotFilled(undefined, undefined, providerId), from, to);
        return events.map(({ args, blockNumber }) => ({
          dealId: args.dealId,
          slotIndex: Number(args.slotIndex),
          startGwei: args.startGwei,
          endGwei: args.startGwei + args.payGwei,
          leafCount: Number(args.leafCount),
          block: blockNumber,
        }));
      },
    });
  }

  /** Reads what is new on the chain. */
  async refresh(): Promise<void> {
    this.#intervals = [...(await this.#follower.refresh())].sort((a, b) => (a.startGwei < b.startGwei ? -1 : 1));
  }

  all(): readonly Interval[] {
    return this.#intervals;
  }

  /** The interval that holds a point of the line. */
  at(point: bigint): Interval | undefined {
    let low = 0;
    let high = this.#intervals.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const interval = this.#intervals[middle];
      if (interval === undefined) return undefined;
      if (point < interval.startGwei) high = middle - 1;
      else if (point >= interval.endGwei) low = middle + 1;
      else return interval;
    }
    return undefined;
  }
}
