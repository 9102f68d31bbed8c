/** The fuzzer's own books, kept from events alone: what was promised, proven, paid, bonded. Knows nothing of the contracts' code. */
import { type CoreEvent, DEAL, type State, slotKey } from "./state.ts";

export interface DealModel {
  readonly owner: string;
  readonly payer: string;
  readonly start: bigint;
  readonly k: bigint;
  readonly n: bigint;
  readonly header: string;
  end: bigint;
  openedTimes: number;
  escrowWei: bigint;
  paidWei: bigint;
  feeWei: bigint;
  refundedWei: bigint;
}

export interface SlotModel {
  readonly root: string;
  readonly payGwei: bigint;
  leafCount: bigint;
  /** Settlements by period; more than one is a double payment. */
  readonly settled: Map<bigint, number>;
}

interface Bound {
  period: bigint;
  wei: bigint;
  capWei: bigint;
}

export class Model {
  readonly dealIds: string[] = [];
  readonly deals = new Map<string, DealModel>();
  readonly slots = new Map<string, SlotModel>();
  /** Slots that somebody holds, or held to the end. */
  readonly held = new Set<string>();
  readonly proven = new Map<bigint, Set<bigint>>();
  readonly missed = new Map<bigint, Map<bigint, number>>();
  readonly voided = new Set<bigint>();
  /** Collateral bound by capped operators in the running period. */
  readonly bound = new Map<bigint, Bound>();
  readonly caps = new Map<bigint, bigint>();
  readonly unbonding = new Map<bigint, { wei: bigint; until: bigint }>();
  /** What the request behind the last withdrawal asked for. */
  readonly withdrawn = new Map<bigint, { wei: bigint; until: bigint } | undefined>();
  readonly serviceSlashes = new Map<bigint, { timestamp: bigint; bps: bigint }[]>();
  readonly lengthAtClose = new Map<bigint, bigint>();
  readonly evicted = new Map<bigint, bigint>();
  readonly reportsOpenedIn = new Map<bigint, bigint>();
  /** What the committee has taken out of the fund in a period, and what it had taken before the last time. */
  rewards = { period: 0n, paidWei: 0n, alreadyWei: 0n };
  feeBps: bigint;
  premiumBps: bigint;
  fundBps: bigint;

  constructor(params: { protocolFeeBps: bigint; premiumBps: bigint; fundBps: bigint }) {
    this.feeBps = params.protocolFeeBps;
    this.premiumBps = params.premiumBps;
    this.fundBps = params.fundBps;
  }

  isProven(providerId: bigint, period: bigint): boolean {
    return this.proven.get(providerId)?.has(period) === true;
  }

  provenIn(providerId: bigint, from: bigint, to: bigint): bigint {
    let count = 0n;
    for (let period = from; period < to; period += 1n) if (this.isProven(providerId, period)) count += 1n;
    return count;
  }

  /** Takes a step's events in; `before` is the state they met. */
  take(events: readonly CoreEvent[], before: State | undefined, now: State): void {
    for (const [at, event] of events.entries()) this.#one(event, events[at - 1], now);
    if (!events.some(({ name }) => name === "SlotRepaired")) this.#rewarded(events, now.current);
    for (const [providerAt, provider] of now.providers.entries()) {
      const providerId = BigInt(providerAt + 1);
      if (before === undefined || before.current !== now.current) {
        this.lengthAtClose.set(providerId, before?.providers[providerAt]?.inventory.lengthGwei ?? provider.lengthAtCloseGwei);
      }
    }
  }

  #rewarded(events: readonly CoreEvent[], current: bigint): void {
    for (const { name, args } of events) {
      if (name !== "RepairFundSpent") continue;
      const alreadyWei = this.rewards.period === current ? this.rewards.paidWei : 0n;
      this.rewards = { period: current, paidWei: alreadyWei + args.amountWei, alreadyWei };
    }
  }

  #one({ name, args, from }: CoreEvent, previous: CoreEvent | undefined, now: State): void {
    if (from === "market") this.#market(name, args, previous, now);
    else if (from === "proofs") this.#proofs(name, args, now);
    else if (from === "registry") this.#registry(name, args);
    else if (name === "ParamsChanged") {
      this.feeBps = args.params.protocolFeeBps;
      this.premiumBps = args.params.premiumBps;
      this.fundBps = args.params.fundBps;
    }
  }

  #market(name: string, args: CoreEvent["args"], previous: CoreEvent | undefined, now: State): void {
    const deal = this.deals.get(args.dealId);
    if (name === "DealOpened") {
      if (deal !== undefined) {
        deal.openedTimes += 1;
        return;
      }
      const { owner, payer, start, k, n, header, end, escrowWei } = args;
      this.dealIds.push(args.dealId);
      this.deals.set(args.dealId, {
        ...{ owner, payer, start, k, n, header, end, escrowWei },
        ...{ openedTimes: 1, paidWei: 0n, feeWei: 0n, refundedWei: 0n },
      });
    } else if (name === "SlotFilled") this.#filled(args, now);
    else if (name === "SlotVacated") this.held.delete(slotKey(args.dealId, args.slotIndex));
    else if (name === "SlotSettled" && deal !== undefined) {
      deal.paidWei += args.paidWei;
      deal.feeWei += args.feeWei;
      deal.refundedWei += args.refundWei;
      const settled = this.slots.get(slotKey(args.dealId, args.slotIndex))?.settled;
      for (let period: bigint = args.fromPeriod; period < args.toPeriod; period += 1n) {
        settled?.set(period, (settled.get(period) ?? 0) + 1);
      }
    } else if (name === "DealStatusChanged" && deal !== undefined && args.to !== DEAL.completed) {
      const end = now.current + 1n;
      if (end >= deal.end) return;
      deal.end = end;
      if (previous?.name === "Credited" && previous.args.account === deal.payer) deal.refundedWei += previous.args.amountWei;
    } else if (name === "DealRenewed" && deal !== undefined) {
      deal.escrowWei += args.escrowWei;
      deal.end = args.newEnd;
    }
  }

  #filled(args: CoreEvent["args"], now: State): void {
    const key = slotKey(args.dealId, args.slotIndex);
    this.held.add(key);
    if (!this.slots.has(key)) {
      this.slots.set(key, { root: args.root, payGwei: args.payGwei, leafCount: 0n, settled: new Map() });
    }
    const capWei = this.caps.get(args.providerId) ?? 0n;
    if (capWei === 0n) return;
    const bound = this.bound.get(args.providerId);
    const wei = (bound?.period === now.current ? bound.wei : 0n) + args.collateralGwei * 1_000_000_000n;
    this.bound.set(args.providerId, { period: now.current, wei, capWei });
  }

  #proofs(name: string, args: CoreEvent["args"], now: State): void {
    if (name === "PeriodProven") {
      const proven = this.proven.get(args.providerId) ?? new Set<bigint>();
      this.proven.set(args.providerId, proven.add(args.period));
    } else if (name === "PeriodMissed") {
      const missed = this.missed.get(args.providerId) ?? new Map<bigint, number>();
      this.missed.set(args.providerId, missed.set(args.period, (missed.get(args.period) ?? 0) + 1));
    } else if (name === "PeriodVoided") this.voided.add(args.period);
    else if (name === "ServiceSlashed") {
      const earlier = this.serviceSlashes.get(args.providerId) ?? [];
      this.serviceSlashes.set(args.providerId, [...earlier, { timestamp: now.timestamp, bps: args.bps }]);
    } else if (name === "ReportsOpened") this.reportsOpenedIn.set(args.period, args.blockNumber);
  }

  #registry(name: string, args: CoreEvent["args"]): void {
    if (name === "OperatorCapSet") {
      this.caps.set(args.providerId, args.capWei);
      this.bound.delete(args.providerId);
    } else if (name === "UnbondingStarted") this.unbonding.set(args.providerId, { wei: args.amountWei, until: args.until });
    else if (name === "CollateralWithdrawn") {
      this.withdrawn.set(args.providerId, this.unbonding.get(args.providerId));
      this.unbonding.delete(args.providerId);
    } else if (name === "ProviderEvicted") this.evicted.set(args.providerId, args.period);
  }
}
