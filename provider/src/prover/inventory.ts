/**
 * The provider's line, rebuilt from the chain's events: which slot owns which interval, and until when it is live. Nothing here needs
 * to be saved; the newest blocks are read again each time, so that a reorg corrects it. What is too old for a reorg is kept in columns.
 */
import { type ChainConnection, EventFollower } from "@ppio/daemon";
import { filledLogs } from "./filled-logs.ts";
import { type Interval, LineColumns, type Tenure } from "./line-columns.ts";

export type { Interval } from "./line-columns.ts";

type LineEvent = { readonly block: number } & (
  | { readonly kind: "filled"; readonly interval: Interval }
  | { readonly kind: "moved"; readonly dealId: string; readonly slotIndex: number; readonly startGwei: bigint }
  /** A deal's end or a slot's holder may have changed. */
  | { readonly kind: "deal"; readonly dealId: string; readonly id: string }
);

/** An interval that the newest blocks brought or changed; undefined for one that they took off the line. */
interface Recent {
  readonly interval: Interval | undefined;
  tenure: Tenure | undefined;
  lookFrom: number;
}

export interface InventoryOptions {
  /** Depth of reorgs; the follower's own unless given. */
  readonly reorgBlocks?: number;
}

export class Inventory {
  readonly #chain: ChainConnection;
  readonly #providerId: number;
  readonly #follower: EventFollower<LineEvent>;
  readonly #solid = new LineColumns();
  #recent = new Map<string, Recent>();
  /** Recent intervals in order. */
  #newest: readonly Interval[] = [];
  #seenDealEvents = new Set<string>();
  #offLine: bigint | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(chain: ChainConnection, providerId: number, { reorgBlocks }: InventoryOptions = {}) {
    const { rpc, book } = chain;
    this.#chain = chain;
    this.#providerId = providerId;
    this.#follower = new EventFollower({
      fromBlock: book.fromBlock,
      latestBlock: () => rpc.getBlockNumber(),
      query: (from, to) => this.#query(from, to),
      onSolid: (event) => this.#settle(event),
      ...(reorgBlocks === undefined ? {} : { reorgBlocks }),
    });
  }

  async #query(from: number, to: number): Promise<LineEvent[]> {
    const { market, proofs } = this.#chain;
    const ours = this.#providerId;
    const [filled, moved, ...changes] = await Promise.all([
      filledLogs(this.#chain, ours, from, to),
      proofs.queryFilter(proofs.filters.IntervalMoved(ours), from, to),
      market.queryFilter(market.filters.DealStatusChanged(), from, to),
      market.queryFilter(market.filters.DealRenewed(), from, to),
      market.queryFilter(market.filters.SlotVacated(undefined, undefined, ours), from, to),
      market.queryFilter(market.filters.SlotHandedOver(undefined, undefined, ours), from, to),
    ]);
    const events = [
      ...filled.map((log) => ({ log, event: { kind: "filled", block: log.blockNumber, interval: log.interval } as const })),
      ...moved.map((log) => {
        const { dealId, slotIndex, startGwei } = log.args;
        return { log, event: { kind: "moved", block: log.blockNumber, dealId, slotIndex: Number(slotIndex), startGwei } as const };
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
    this.#offLine ??= await this.#chain.proofs.OFF_LINE_GWEI();
    const events = await this.#follower.refresh();
    const before = this.#recent;
    this.#recent = new Map();
    const seen = new Set<string>();
    for (const event of events) {
      if (event.kind === "deal") {
        seen.add(event.id);
        if (!this.#seenDealEvents.has(event.id)) this.#forget(event.dealId, before);
      } else this.#apply(event, before);
    }
    this.#seenDealEvents = seen;
    const newest = [...this.#recent.values()].map(({ interval }) => interval).filter((interval) => interval !== undefined);
    this.#newest = newest.sort((a, b) => (a.startGwei < b.startGwei ? -1 : 1));
  }

  /** An event that no reorg reaches any more. */
  #settle(event: LineEvent): void {
    if (event.kind === "deal") return;
    if (event.kind === "filled") {
      // A slot that comes back was taken off the line before.
      const place = this.#solid.push(event.interval);
      const known = this.#recent.get(keyOf(event.interval));
      if (known?.tenure !== undefined) this.#solid.keep(place, known.tenure);
      if (known !== undefined) this.#solid.postpone(place, known.lookFrom);
      return;
    }
    const place = this.#solid.placeOf(event.dealId, event.slotIndex);
    if (place < 0) return;
    if (event.startGwei === this.#offLine) this.#solid.remove(place);
    else this.#solid.move(place, event.startGwei);
  }

  #apply(event: Exclude<LineEvent, { readonly kind: "deal" }>, before: ReadonlyMap<string, Recent>): void {
    if (event.kind === "filled") {
      this.#setRecent(event.interval, event.interval, before);
      return;
    }
    const known = this.#recent.get(keyOf(event))?.interval ?? this.#solidInterval(event.dealId, event.slotIndex);
    if (known === undefined) return;
    const { startGwei } = event;
    const moved = startGwei === this.#offLine ? undefined : { ...known, startGwei, endGwei: startGwei + known.endGwei - known.startGwei };
    this.#setRecent(event, moved, before);
  }

  #setRecent(slot: Pick<Interval, "dealId" | "slotIndex">, interval: Interval | undefined, before: ReadonlyMap<string, Recent>): void {
    const key = keyOf(slot);
    const kept = this.#recent.get(key) ?? before.get(key);
    this.#recent.set(key, { interval, tenure: kept?.tenure, lookFrom: kept?.lookFrom ?? 0 });
  }

  #solidInterval(dealId: string, slotIndex: number): Interval | undefined {
    const place = this.#solid.placeOf(dealId, slotIndex);
    return place < 0 ? undefined : this.#solid.at(place);
  }

  #forget(dealId: string, before: ReadonlyMap<string, Recent>): void {
    for (const place of this.#solid.placesOf(dealId)) this.#solid.forget(place);
    for (const recents of [this.#recent, before]) {
      for (const [key, recent] of recents) if (key.startsWith(dealId)) Object.assign(recent, { tenure: undefined, lookFrom: 0 });
    }
  }

  /** Every interval that is on the line, in order. */
  *all(): Generator<Interval> {
    let next = 0;
    for (let place = 0; place < this.#solid.count; place += 1) {
      const interval = this.#solid.at(place);
      if (this.#recent.size > 0 && this.#recent.has(keyOf(interval))) continue;
      for (let recent = this.#newest[next]; recent !== undefined && recent.startGwei < interval.startGwei; recent = this.#newest[next]) {
        next += 1;
        yield recent;
      }
      yield interval;
    }
    yield* this.#newest.slice(next);
  }

  /** Newest slots first, for whoever looks for one that is live. */
  *latest(): Generator<Interval> {
    yield* this.#newest.toReversed();
    for (let place = this.#solid.count - 1; place >= 0; place -= 1) {
      const interval = this.#solid.at(place);
      if (!this.#recent.has(keyOf(interval))) yield interval;
    }
  }

  /** At most `most` slots that housekeeping has not looked at since `postpone`, or whose deal has changed. */
  due(period: number, most: number): readonly Interval[] {
    const due: Interval[] = [];
    for (const { interval, lookFrom } of this.#recent.values()) {
      if (due.length < most && interval !== undefined && lookFrom <= period) due.push(interval);
    }
    for (let place = 0; place < this.#solid.count && due.length < most; place += 1) {
      if (this.#solid.lookFrom(place) > period) continue;
      const interval = this.#solid.at(place);
      if (!this.#recent.has(keyOf(interval))) due.push(interval);
    }
    return due;
  }

  postpone(interval: Interval, period: number): void {
    const recent = this.#recent.get(keyOf(interval));
    if (recent !== undefined) {
      recent.lookFrom = period;
      return;
    }
    const place = this.#solid.placeOf(interval.dealId, interval.slotIndex);
    if (place >= 0) this.#solid.postpone(place, period);
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
    const { dealId, slotIndex } = interval;
    const recent = this.#recent.get(keyOf(interval));
    const place = recent === undefined ? this.#solid.placeOf(dealId, slotIndex) : -1;
    const known = recent === undefined ? this.#solid.tenure(place) : recent.tenure;
    if (known !== undefined) return known;
    const slot = await this.#chain.market.slotForProof(dealId, slotIndex, this.#providerId);
    const tenure = { from: Number(slot.fromPeriod), until: Number(slot.untilPeriod), leafCount: Number(slot.leafCount) };
    if (recent !== undefined) recent.tenure = tenure;
    // The line may have moved while the chain was asked.
    else this.#keep(dealId, slotIndex, tenure);
    return tenure;
  }

  #keep(dealId: string, slotIndex: number, tenure: Tenure): void {
    const place = this.#solid.placeOf(dealId, slotIndex);
    if (place >= 0) this.#solid.keep(place, tenure);
  }

  /** The interval that holds a point of the line. */
  at(point: bigint): Interval | undefined {
    const recent = this.#newest.find(({ startGwei, endGwei }) => startGwei <= point && point < endGwei);
    if (recent !== undefined) return recent;
    const place = this.#solid.placeAt(point);
    const interval = place < 0 ? undefined : this.#solid.at(place);
    return interval === undefined || this.#recent.has(keyOf(interval)) ? undefined : interval;
  }
}

function keyOf({ dealId, slotIndex }: Pick<Interval, "dealId" | "slotIndex">): string {
  return `${dealId}/${slotIndex}`;
}
