/**
 * The provider's line, rebuilt from the chain's `SlotFilled` events: which slot owns which interval. The newest blocks are read again
 * each time, so that a reorg corrects it; nothing here needs to be saved.
 */
import type { ChainConnection } from "@ppio/daemon";

const BLOCKS_PER_QUERY = 5_000;
/** Deeper reorgs than this do not happen on the chains we run on. */
const REORG_BLOCKS = 64;

export interface Interval {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly startGwei: bigint;
  readonly endGwei: bigint;
  readonly leafCount: number;
  readonly block: number;
}

export class Inventory {
  readonly #chain: ChainConnection;
  readonly #providerId: number;
  #intervals: Interval[] = [];
  #nextBlock: number;

  constructor(chain: ChainConnection, providerId: number) {
    this.#chain = chain;
    this.#providerId = providerId;
    this.#nextBlock = chain.book.fromBlock;
  }

  /** Reads what is new on the chain. */
  async refresh(): Promise<void> {
    const { market, rpc, book } = this.#chain;
    const latest = await rpc.getBlockNumber();
    const from = Math.max(book.fromBlock, Math.min(this.#nextBlock, latest + 1) - REORG_BLOCKS);
    const kept = this.#intervals.filter((interval) => interval.block < from);
    for (let start = from; start <= latest; start += BLOCKS_PER_QUERY) {
      const end = Math.min(latest, start + BLOCKS_PER_QUERY - 1);
      for (const event of await market.queryFilter(market.filters.SlotFilled(undefined, undefined, this.#providerId), start, end)) {
        const { dealId, slotIndex, startGwei, payGwei, leafCount } = event.args;
        kept.push({
          dealId,
          slotIndex: Number(slotIndex),
          startGwei,
          endGwei: startGwei + payGwei,
          leafCount: Number(leafCount),
          block: event.blockNumber,
        });
      }
    }
    this.#intervals = kept.sort((a, b) => (a.startGwei < b.startGwei ? -1 : 1));
    this.#nextBlock = latest + 1;
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
