/** IProviderRegistry, IPossessionProofs, IPenaltyPolicy. */
import { eventsOf, type Invariant, must, same, sum } from "./invariant.ts";
import { BPS, GWEI, intervals, OFF_LINE_GWEI, type ProviderState, type Step } from "./state.ts";

const WEEK_SECONDS = 604_800n;

function eachProvider(step: Step, check: (id: bigint, now: ProviderState, before: ProviderState | undefined) => void): void {
  for (const [at, now] of step.now.providers.entries()) check(BigInt(at + 1), now, step.before.providers[at]);
}

const before = (step: Step, providerId: bigint): ProviderState | undefined => step.before.providers[Number(providerId) - 1];

export const registryInvariants: readonly Invariant[] = [
  {
    id: "R1",
    text: "token balance = Σ collateral, to the wei",
    check: (step) =>
      same(
        step.now.registryWei,
        sum(step.now.providers, ({ provider }) => provider.collateralWei),
        "registry's balance",
      ),
  },
  {
    id: "R2",
    text: "locked = Σ collateral of the provider's slots in the inventory",
    check: (step) => {
      const locked = new Map<bigint, bigint>();
      for (const i of intervals(step.now, step.model)) {
        if (i.isInInventory) locked.set(i.providerId, (locked.get(i.providerId) ?? 0n) + i.collateral * GWEI);
      }
      eachProvider(step, (id, { provider }) => same(provider.lockedWei, locked.get(id) ?? 0n, "locked", { provider: id }));
    },
  },
  {
    id: "R3",
    text: "free = max(0, collateral - locked); only free collateral leaves",
    check: (step) => {
      eachProvider(step, (_, { provider: p, freeWei }) => {
        same(freeWei, p.collateralWei > p.lockedWei ? p.collateralWei - p.lockedWei : 0n, "free");
      });
      for (const { args } of eventsOf(step, "registry", "CollateralWithdrawn")) {
        must(args.amountWei <= (before(step, args.providerId)?.freeWei ?? 0n), "more than what was free left", { id: args.providerId });
      }
    },
  },
  {
    id: "R4",
    text: "an address is the operator of one provider at a time",
    check: (step) => {
      eachProvider(step, (id, { idOfOperator }) => same(idOfOperator, id, "provider of the operator"));
      same(new Set(step.now.providers.map(({ provider }) => provider.operator)).size, step.now.providers.length, "operators");
    },
  },
  {
    id: "R5",
    text: "an evicted provider has no collateral and gets none",
    check: (step) =>
      eachProvider(step, (id, { provider: p }) => must(p.evictedAtPeriod === 0n || p.collateralWei === 0n, "it has", { id })),
  },
  {
    id: "R6",
    text: "what an operator with a cap binds in one period is at most the cap",
    check: (step) => {
      for (const [id, { period, wei, capWei }] of step.model.bound) must(wei <= capWei, "above the cap", { id, period, wei, capWei });
    },
  },
  {
    id: "R7",
    text: "collateral moves only by deposits, slashes and withdrawals, each told exactly; a slash is at most the collateral",
    check: (step) => {
      const delta = new Map<bigint, bigint>();
      const add = (id: bigint, wei: bigint): unknown => delta.set(id, (delta.get(id) ?? 0n) + wei);
      for (const { args } of eventsOf(step, "registry", "CollateralDeposited")) add(args.providerId, args.amountWei);
      for (const { args } of eventsOf(step, "registry", "CollateralWithdrawn")) add(args.providerId, 0n - args.amountWei);
      for (const { args } of eventsOf(step, "registry", "CollateralSlashed")) {
        const had = (before(step, args.providerId)?.provider.collateralWei ?? 0n) + (delta.get(args.providerId) ?? 0n);
        must(args.amountWei <= had, "slashed more than there was", { id: args.providerId });
        same(args.remainingWei, had - args.amountWei, "remaining");
        add(args.providerId, 0n - args.amountWei);
      }
      eachProvider(step, (id, { provider }, old) => {
        if (old !== undefined) same(provider.collateralWei, old.provider.collateralWei + (delta.get(id) ?? 0n), "collateral", { id });
      });
    },
  },
  {
    id: "R8",
    text: "an eviction is final: its period is set once and stays",
    check: (step) => {
      eachProvider(step, (id, { provider }) => same(provider.evictedAtPeriod, step.model.evicted.get(id) ?? 0n, "evicted", { id }));
      for (const { args } of eventsOf(step, "registry", "ProviderEvicted")) {
        same(before(step, args.providerId)?.provider.evictedAtPeriod, 0n, "evicted before", { id: args.providerId });
      }
    },
  },
  {
    id: "R9",
    text: "owners change by acceptance, operators by rotation, which raises the epoch by one",
    check: (step) => {
      eachProvider(step, (id, { provider: p }, old) => {
        if (old === undefined) return;
        const rotations = eventsOf(step, "registry", "OperatorRotated").filter(({ args }) => args.providerId === id).length;
        same(p.operatorEpoch, old.provider.operatorEpoch + BigInt(rotations), "epoch", { id });
        if (p.operator !== old.provider.operator) must(rotations > 0, "an operator changed", { id });
        if (p.owner !== old.provider.owner) same(p.owner, old.provider.pendingOwner, "owner", { id });
      });
    },
  },
  {
    id: "R10",
    text: "what leaves was asked back, waited its delay and did not lapse",
    check: (step) => {
      for (const { args } of eventsOf(step, "registry", "CollateralWithdrawn")) {
        const asked = step.model.withdrawn.get(args.providerId);
        must(asked !== undefined && args.amountWei <= asked.wei, "not asked for", { id: args.providerId });
        must(asked !== undefined && step.now.timestamp >= asked.until, "too early", { id: args.providerId });
      }
    },
  },
  {
    id: "R11",
    text: "providers never disappear and never lose their number",
    check: (step) => must(step.now.providers.length >= step.before.providers.length, "a provider is gone"),
  },
];

export const proofsInvariants: readonly Invariant[] = [
  {
    id: "P1",
    text: "prove(p) is accepted only in p + 1, once",
    check: (step) => {
      const proven = eventsOf(step, "proofs", "PeriodProven");
      for (const { args } of proven) same(step.now.current, args.period + 1n, "period of the proof", { period: args.period });
      must(proven.length <= 1, "two proofs in one step");
    },
  },
  {
    id: "P2",
    text: "the length for p is what it was at the close of p",
    check: (step) => {
      eachProvider(step, (id, { lengthAtCloseGwei }) => same(lengthAtCloseGwei, step.model.lengthAtClose.get(id), "length", { id }));
    },
  },
  {
    id: "P3",
    text: "a miss is recorded in order, once, never for a void or a proven period",
    check: (step) => {
      for (const { args } of eventsOf(step, "proofs", "PeriodMissed")) {
        const { providerId: id, period } = args;
        same(step.model.missed.get(id)?.get(period), 1, "misses of one period", { id, period });
        must(!step.model.isProven(id, period), "it was proven", { id, period });
        must(!step.model.voided.has(period), "it was void", { id, period });
        must(period >= (before(step, id)?.inventory.cursor ?? 0n), "behind the cursor", { id, period });
        must(period + 2n <= step.now.current, "too early", { id, period });
      }
    },
  },
  {
    id: "P4",
    text: "live = Σ pay of the slots appended and not yet removed",
    check: (step) => {
      const live = new Map<bigint, bigint>();
      for (const i of intervals(step.now, step.model)) {
        if (i.isInInventory) live.set(i.providerId, (live.get(i.providerId) ?? 0n) + i.pay);
      }
      eachProvider(step, (id, { inventory }) => same(inventory.liveGwei, live.get(id) ?? 0n, "live", { id }));
    },
  },
  {
    id: "P5",
    text: "owners' part of a slash = Σ pay of the slots in the inventory x wei per gwei; the parts sum to what was taken",
    check: (step) => {
      for (const { args } of eventsOf(step, "proofs", "SlashSplit")) {
        const live = before(step, args.providerId)?.inventory.liveGwei ?? 0n;
        same(args.ownersWei, live * args.weiPerGwei, "owners' part");
        const taken = sum(eventsOf(step, "registry", "CollateralSlashed"), (event) => event.args.amountWei);
        same(args.fundWei + args.reporterWei + args.ownersWei, taken, "parts of a slash");
      }
    },
  },
  {
    id: "P6",
    text: "intervals on a line never overlap, lie below its length, and move only by compaction",
    check: (step) => {
      const lines = new Map<bigint, { key: string; start: bigint; end: bigint; isLive: boolean }[]>();
      for (const { providerId, key, start, pay, isInInventory, until } of intervals(step.now, step.model)) {
        const isLive = isInInventory && until > step.now.current;
        if (start === OFF_LINE_GWEI) {
          must(!isLive, "a live interval left the line", { key, providerId });
          continue;
        }
        const line = lines.get(providerId) ?? [];
        lines.set(providerId, [...line, { key, start, end: start + pay, isLive }]);
      }
      for (const [id, line] of lines) {
        line.sort((a, b) => (a.start < b.start ? -1 : 1));
        const state = step.now.providers[Number(id) - 1];
        for (const [at, { key, start, end }] of line.entries()) {
          must(start >= (line[at - 1]?.end ?? 0n), "intervals overlap", { id, key, start });
          must(end <= (state?.inventory.lengthGwei ?? 0n), "beyond the line", { id, key, end });
          const inGap = state !== undefined && start < state.gapEndGwei && end > state.gapStartGwei;
          must(!inGap, "inside the gap", { id, key });
        }
      }
      if (eventsOf(step, "proofs", "IntervalMoved").length > 0) return;
      const starts = new Map(intervals(step.before, step.model).map(({ key, providerId, start }) => [`${key}/${providerId}`, start]));
      for (const { key, providerId, start, from } of intervals(step.now, step.model)) {
        const old = starts.get(`${key}/${providerId}`);
        const isNew = from > step.now.current;
        must(isNew || old === undefined || old === start, "an interval moved", { key, providerId, old, start });
      }
    },
  },
  {
    id: "P7",
    text: "lengths are below 2^48 gwei",
    check: (step) => {
      eachProvider(step, (id, { inventory: i }) => {
        must(i.lengthGwei < OFF_LINE_GWEI, "line", { id, length: i.lengthGwei });
      });
    },
  },
  {
    id: "P8",
    text: "no miss is recorded before its reports were opened, two periods after it",
    check: (step) => {
      for (const { args } of eventsOf(step, "proofs", "PeriodMissed")) {
        const opened = [...step.model.reportsOpenedIn.keys()].some((period) => period >= args.period + 2n);
        must(opened, "reports were not open", { period: args.period });
      }
    },
  },
  {
    id: "P9",
    text: "service scores take at most 2 % of collateral in seven days, and never evict",
    check: (step) => {
      for (const { args } of eventsOf(step, "proofs", "ServiceSlashed")) {
        const had = before(step, args.providerId)?.provider.collateralWei ?? 0n;
        must(args.slashedWei * BPS <= had * args.bps, "service slash", { taken: args.slashedWei, had });
        const slashes = step.model.serviceSlashes.get(args.providerId) ?? [];
        const ofWeek = slashes.filter(({ timestamp }) => timestamp + WEEK_SECONDS > step.now.timestamp);
        const bps = ofWeek.reduce((sum, slash) => sum + slash.bps, 0n);
        must(bps <= 200n, "of a week", { id: args.providerId, bps });
        same(eventsOf(step, "registry", "ProviderEvicted").length, 0, "evictions");
      }
    },
  },
  {
    id: "P10",
    text: "the cursor of misses and the end of what is final never fall behind a period that has passed",
    check: (step) => {
      eachProvider(step, (id, now, old) => {
        if (old === undefined) return;
        // An empty line that was to begin in the next period may begin in the running one after all.
        const passed = (period: bigint) => (period < step.now.current ? period : step.now.current);
        must(passed(now.inventory.cursor) >= passed(old.inventory.cursor), "the cursor fell", { id });
        must(passed(now.finalBefore) >= passed(old.finalBefore), "final periods fell", {
          id,
          now: now.finalBefore,
          before: old.finalBefore,
        });
      });
    },
  },
  {
    id: "P11",
    text: "a provider is missed only for a period in which one of its tenures was live",
    check: (step) => {
      for (const { args } of eventsOf(step, "proofs", "PeriodMissed")) {
        const live = intervals(step.before, step.model).some(
          ({ providerId, from, until }) => providerId === args.providerId && from <= args.period && args.period < until,
        );
        must(live, "nothing was owed", { id: args.providerId, period: args.period });
      }
    },
  },
];

export const policyInvariants: readonly Invariant[] = [
  {
    id: "Y4",
    text: "an admitted loss costs less than a caught one, that less than an unanswered challenge, which costs all",
    check: (step) => {
      for (const { args } of eventsOf(step, "policy", "ParamsChanged")) {
        const { declaredLossBps: declared, caughtLossBps: caught } = args.params;
        must(0n < declared && declared < caught && caught < BPS, "losses", { declared, caught });
      }
    },
  },
  {
    id: "Y5",
    text: "the fund's part of the cheapest loss is above the premium",
    check: (step) => {
      for (const { args } of eventsOf(step, "policy", "ParamsChanged")) {
        const { declaredLossBps: declared, fundBps, premiumBps } = args.params;
        must(premiumBps * BPS < declared * fundBps, "premium", { declared, fundBps, premiumBps });
      }
    },
  },
  {
    id: "Y3",
    text: "at least 40 % of every slash goes to the repair fund, rounded up",
    check: (step) => {
      for (const { args } of eventsOf(step, "proofs", "SlashSplit")) {
        const taken: bigint = args.fundWei + args.reporterWei + args.ownersWei;
        must(args.fundWei * BPS >= taken * 4_000n && args.fundWei * BPS >= taken * step.model.fundBps, "fund's part", { taken });
      }
      for (const { args } of eventsOf(step, "market", "SlotForfeited")) {
        must(args.fundWei * BPS >= args.slashedWei * 4_000n, "fund's part", { taken: args.slashedWei });
      }
    },
  },
  {
    id: "Y6",
    text: "a finder gets at most a tenth of a slash, a reporter a twentieth",
    check: (step) => {
      for (const { args } of eventsOf(step, "proofs", "SlashSplit")) {
        const taken: bigint = args.fundWei + args.reporterWei + args.ownersWei;
        const most = eventsOf(step, "proofs", "MaliceProven").length > 0 ? 1_000n : 500n;
        must(args.reporterWei * BPS <= taken * most, "finder's part", { taken, finder: args.reporterWei });
      }
      for (const { args } of eventsOf(step, "market", "SlotForfeited")) {
        must(args.finderWei * BPS <= args.slashedWei * 1_000n, "finder's part", { taken: args.slashedWei });
      }
    },
  },
  {
    id: "Y7",
    text: "every slash was told with its cause: a miss, a lie, a bad score or a lost slot, and by its whole amount",
    check: (step) => {
      const taken = sum(eventsOf(step, "registry", "CollateralSlashed"), ({ args }) => args.amountWei);
      const causes = ["PeriodMissed", "MaliceProven", "ServiceSlashed"];
      const told =
        sum(eventsOf(step, "proofs", ...causes), ({ args }) => args.slashedWei) +
        sum(eventsOf(step, "market", "SlotForfeited"), ({ args }) => args.slashedWei);
      same(taken, told, "slashed");
    },
  },
];
