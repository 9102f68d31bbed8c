/**
 * The provider's line, rebuilt from the chain's events: which slot owns which interval, and until when it is live. Nothing here needs
 * to be saved; the newest blocks are read again each time, so that a reorg corrects it.
 */
import { type ChainConnection, EventFollower } from "@ppio/daemon";

export interface Interval {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly startGwei: bigint;
  readonly endGwei: bigint;
}

/** Periods in which a slot is the provider's, [from, until), and the slot's size. */
interface Tenure {
  readonly from: number;
  readonly until: number;
  readonly leafCount: number;
}

type LineEvent = { readonly block: number } & (
  | { readonly kind: "filled"; readonly interval: Interval }
  | { readonly kind: "moved"; readonly key: string; readonly startGwei: bigint }
  /** A deal's end or a slot's holder may have changed. */
  | { readonly kind: "deal"; readonly dealId: string; readonly id: string }
);

export class Inventory {
  readonly #chain: ChainConnection;
  readonly #providerId: number;
  readonly #follower: EventFollower<LineEvent>;
  readonly #tenures = new Map<string, Tenure>();
  #seenDealEvents = new Set<string>();
  #intervals: readonly Interval[] = [];
  #refreshing: Promise<void> | undefined;

  constructor(chain: ChainConnection, providerId: number) {
    const { rpc, book } = chain;
    this.#chain = chain;
    this.#providerId = providerId;
    this.#follower = new EventFollower({
      fromBlock: book.fromBlock,
      latestBlock: () => rpc.getBlockNumber(),
      query: (from, to) => this.#query(from, to),
    });
  }

  async #query(from: number, to: number): Promise<LineEvent[]> {
    const { market, proofs } = this.#chain;
    const ours = this.#providerId;
    const [filled, moved, ...changes] = await Promise.all([
      market.queryFilter(market.filters.SlotFilled(undefined, undefined, ours), from, to),
      proofs.queryFilter(proofs.filters.IntervalMoved(ours), from, to),
      market.queryFilter(market.filters.DealStatusChanged(), from, to),
      market.queryFilter(market.filters.DealRenewed(), from, to),
      market.queryFilter(market.filters.SlotVacated(undefined, undefined, ours), from, to),
      market.queryFilter(market.filters.SlotHandedOver(undefined, undefined, ours), from, to),
    ]);
    const events = [
      ...filled.map((log) => {
        const { dealId, slotIndex, startGwei, payGwei } = log.args;
        const interval = { dealId, slotIndex: Number(slotIndex), startGwei, endGwei: startGwei + payGwei };
        return { log, event: { kind: "filled", block: log.blockNumber, interval } as const };
      }),
      ...moved.map((log) => {
        const { dealId, slotIndex, startGwei } = log.args;
        return { log, event: { kind: "moved", block: log.blockNumber, key: `${dealId}/${slotIndex}`, startGwei } as const };
      }),
      ...changes.flat().map((log) => {
        const id = `${log.blockHash}/${log.index}`;
        return { log, event: { kind: "deal", block: log.blockNumber, dealId: log.args.dealId, id } as const };
      }),
    ];
    return events.sort((a, b) => a.log.blockNumber - b.log.blockNumber || a.log.index - b.log.index).map(({ event }) => event);
  }

  /** Reads what is new on the chain; those who ask meanwhile wait for the same reading. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const offLine = await this.#chain.proofs.OFF_LINE_GWEI();
    const line = new Map<string, Interval>();
    const seen = new Set<string>();
    for (const event of await this.#follower.refresh()) {
      if (event.kind === "filled") line.set(keyOf(event.interval), event.interval);
      else if (event.kind === "moved") move(line, event.key, event.startGwei, offLine);
      else {
        seen.add(event.id);
        if (!this.#seenDealEvents.has(event.id)) this.#forgetTenures(event.dealId);
      }
    }
    this.#seenDealEvents = seen;
    this.#intervals = [...line.values()].sort((a, b) => (a.startGwei < b.startGwei ? -1 : 1));
  }

  #forgetTenures(dealId: string): void {
    for (const key of this.#tenures.keys()) if (key.startsWith(dealId)) this.#tenures.delete(key);
  }

  /** Every interval that is on the line, in order. */
  all(): readonly Interval[] {
    return this.#intervals;
  }

  /** Whether the interval's slot is the provider's and live in `period`; otherwise it is a hole. */
  async isLive(interval: Interval, period: number): Promise<boolean> {
    const { from, until } = await this.#tenureOf(interval);
    return from <= period && period < until;
  }

  /** Leaves of the interval's slot. */
  async leafCount(interval: Interval): Promise<number> {
    return (await this.#tenureOf(interval)).leafCount;
  }

  /** First period in which the interval is a hole for good. */
  async liveUntil(interval: Interval): Promise<number> {
    return (await this.#tenureOf(interval)).until;
  }

  async #tenureOf(interval: Interval): Promise<Tenure> {
    const key = keyOf(interval);
    const known = this.#tenures.get(key);
    if (known !== undefined) return known;
    const slot = await this.#chain.market.slotForProof(interval.dealId, interval.slotIndex, this.#providerId);
    const tenure = { from: Number(slot.fromPeriod), until: Number(slot.untilPeriod), leafCount: Number(slot.leafCount) };
    this.#tenures.set(key, tenure);
    return tenure;
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

function keyOf({ dealId, slotIndex }: Interval): string {
  return `${dealId}/${slotIndex}`;
}

function move(line: Map<string, Interval>, key: string, startGwei: bigint, offLine: bigint): void {
  const interval = line.get(key);
  if (interval === undefined) return;
  if (startGwei === offLine) line.delete(key);
  else line.set(key, { ...interval, startGwei, endGwei: startGwei + interval.endGwei - interval.startGwei });
}
