/** IStorageMarket: escrow, settlement, states of deals and slots. */
import { eventsOf, type Invariant, must, same, sum } from "./invariant.ts";
import { BPS, DEAL, GWEI, isHeld, SLOT, type SlotView, type State, type Step, slotKey, slotsOf } from "./state.ts";

const views = (step: Step): SlotView[] => slotsOf(step.now, step.model.dealIds);

/** Escrow of a slot, and of its past tenures, that nobody has got yet (M2). */
function remainingWei(view: SlotView): bigint {
  const { slot, past } = view.state;
  const open = slot.status === SLOT.closed || view.deal.end <= slot.settledTo ? 0n : view.deal.end - slot.settledTo;
  const ended = sum(past, ({ tenure: t }) => (t.isSettled || t.untilPeriod <= t.settledTo ? 0n : t.untilPeriod - t.settledTo));
  return (open + ended) * slot.payGwei * GWEI;
}

const dealEdges = new Set(["0>1", "1>2", "1>3", "1>4"]);
/** The view shows a slot Vacant once its holder is evicted; what is filled twice in one step went through the states between. */
const slotEdges = new Set(
  ["0>1", "1>4", "4>1", "1>2", "4>2", "1>3", "4>3", "2>5", "5>2", "2>1", "5>1", "2>3", "5>3"].concat(["1>5", "4>5", "1>1"]),
);

function eachDeal(step: Step, check: (id: string, now: State["deals"][number], before: State["deals"][number] | undefined) => void): void {
  for (const [at, id] of step.model.dealIds.entries()) {
    const now = step.now.deals[at];
    if (now !== undefined) check(id, now, step.before.deals[at]);
  }
}

export const marketInvariants: readonly Invariant[] = [
  {
    id: "M1",
    text: "token balance = remaining escrow + credits + repair fund + unclaimed parts of slashes, to the wei",
    check: (step) => {
      const booked = sum(views(step), remainingWei) + sum(step.now.accounts, ({ marketWei }) => marketWei);
      same(step.now.marketWei, booked + step.now.fundWei + step.now.unclaimedWei, "market's balance");
    },
  },
  {
    id: "M2",
    text: "of each deal: escrow taken = paid + fees + refunded + remaining",
    check: (step) => {
      const remaining = new Map<string, bigint>();
      for (const view of views(step)) remaining.set(view.dealId, (remaining.get(view.dealId) ?? 0n) + remainingWei(view));
      for (const [dealId, d] of step.model.deals) {
        same(d.paidWei + d.feeWei + d.refundedWei + (remaining.get(dealId) ?? 0n), d.escrowWei, "escrow", { dealId });
      }
    },
  },
  {
    id: "M3",
    text: "of the periods settled the proven ones are paid, the others refunded",
    check: (step) => {
      for (const { args } of eventsOf(step, "market", "SlotSettled")) {
        const pay = (step.model.slots.get(slotKey(args.dealId, args.slotIndex))?.payGwei ?? 0n) * GWEI;
        const wasHeld = args.provenPeriods !== 0n || args.paidWei !== 0n;
        const proven = step.model.provenIn(args.providerId, args.fromPeriod, args.toPeriod);
        if (wasHeld) same(args.provenPeriods, proven, "proven periods", { slot: args.slotIndex, provider: args.providerId });
        same(args.paidWei + args.feeWei, args.provenPeriods * pay, "pay");
        const unproven = BigInt(args.toPeriod) - BigInt(args.fromPeriod) - BigInt(args.provenPeriods);
        same(args.refundWei, unproven * pay, "refund");
      }
    },
  },
  {
    id: "M4",
    text: "no period of a slot is settled twice, none outside of the deal",
    check: (step) => {
      for (const { args } of eventsOf(step, "market", "SlotSettled")) {
        const key = slotKey(args.dealId, args.slotIndex);
        const deal = step.model.deals.get(args.dealId);
        for (let period: bigint = args.fromPeriod; period < args.toPeriod; period += 1n) {
          same(step.model.slots.get(key)?.settled.get(period), 1, "settlements of a period", { key, period });
          must(deal !== undefined && period >= deal.start && period < deal.end, "a period outside of the deal", { key, period });
        }
      }
    },
  },
  {
    id: "M5",
    text: "provider's pay + protocol fee = pay, the fee rounded up",
    check: (step) => {
      for (const { args } of eventsOf(step, "market", "SlotSettled")) {
        const gross: bigint = args.paidWei + args.feeWei;
        const fee = gross === 0n ? 0n : (gross * step.model.feeBps + BPS - 1n) / BPS;
        same(args.feeWei, fee, "fee", { gross });
      }
    },
  },
  {
    id: "M6",
    text: "providers of a deal's held slots are distinct",
    check: (step) => {
      const seen = new Set<string>();
      for (const view of views(step)) {
        if (!isHeld(view, step.model)) continue;
        const key = slotKey(view.dealId, view.state.slot.providerId);
        must(!seen.has(key), "one provider has two slots", { key });
        seen.add(key);
      }
    },
  },
  {
    id: "M7",
    text: "a dealId is never reused, and its owner, payer, start, k, n and header never change",
    check: (step) => {
      eachDeal(step, (dealId, { deal }) => {
        const model = step.model.deals.get(dealId);
        same(model?.openedTimes, 1, "times opened", { dealId });
        for (const field of ["owner", "payer", "start", "k", "n", "header"] as const) same(deal[field], model?.[field], field, { dealId });
      });
    },
  },
  {
    id: "M8",
    text: "a slot's commitment and pay never change",
    check: (step) => {
      for (const { key, state } of views(step)) {
        const model = step.model.slots.get(key);
        if (model === undefined) continue;
        if (model.leafCount === 0n) model.leafCount = state.slot.leafCount;
        same(state.slot.root, model.root, "root", { key });
        same(state.slot.payGwei, model.payGwei, "pay", { key });
        same(state.slot.leafCount, model.leafCount, "leaves", { key });
      }
    },
  },
  {
    id: "M9",
    text: "open slots of a deal are those not Closed, vacant ones those Vacant or Reserved",
    check: (step) => {
      const counts = new Map<string, { open: bigint; vacant: bigint }>();
      for (const view of views(step)) {
        const count = counts.get(view.dealId) ?? { open: 0n, vacant: 0n };
        counts.set(view.dealId, count);
        if (view.state.slot.status === SLOT.closed) continue;
        count.open += 1n;
        if (!isHeld(view, step.model)) count.vacant += 1n;
      }
      eachDeal(step, (dealId, { deal }) => {
        same(deal.openSlots, counts.get(dealId)?.open, "open slots", { dealId });
        same(deal.vacantSlots, counts.get(dealId)?.vacant, "vacant slots", { dealId });
      });
    },
  },
  {
    id: "M10",
    text: "nothing leaves the repair fund but premiums and rewards, both bounded",
    check: (step) => {
      const spent = eventsOf(step, "market", "RepairFundSpent");
      for (const { args } of spent) {
        const repaired = eventsOf(step, "repair", "SlotRepaired");
        if (repaired.length === 0) {
          const { alreadyWei } = step.model.rewards;
          must(step.action.startsWith("reward"), "money left the fund", { action: step.action });
          must(args.amountWei + alreadyWei <= (step.before.fundWei + alreadyWei) / 100n, "reward", { paid: args.amountWei, alreadyWei });
        }
        for (const { args: r } of repaired) {
          const slot = views(step).find((v) => v.key === slotKey(r.dealId, r.slotIndex));
          const before = slotsOf(step.before, step.model.dealIds).find((v) => v.key === slot?.key);
          const collateral = (before?.state.slot.collateralGwei ?? 0n) * GWEI;
          must(args.amountWei <= (collateral * step.model.premiumBps) / BPS, "premium", { paid: args.amountWei, collateral });
        }
      }
      if (spent.length === 0) must(step.now.fundWei >= step.before.fundWei, "the fund shrank");
    },
  },
  {
    id: "M11",
    text: "deals take only the edges None -> Active -> {Completed | Terminated | Failed}",
    check: (step) =>
      eachDeal(step, (dealId, now, before) => {
        const edge = `${before?.deal.status ?? 0n}>${now.deal.status}`;
        must(before?.deal.status === now.deal.status || dealEdges.has(edge), "deal's edge", { dealId, edge });
      }),
  },
  {
    id: "M12",
    text: "slots take only the edges of their state machine; Closed is final",
    check: (step) => {
      const before = new Map(slotsOf(step.before, step.model.dealIds).map((view) => [view.key, view.state.slot.status]));
      for (const { key, state } of views(step)) {
        const from = before.get(key) ?? 0n;
        const edge = `${from}>${state.slot.status}`;
        must(from === state.slot.status || slotEdges.has(edge), "slot's edge", { key, edge });
      }
    },
  },
  {
    id: "M13",
    text: "settled periods never fall within a tenure, and start no earlier than it",
    check: (step) => {
      const before = new Map(slotsOf(step.before, step.model.dealIds).map((view) => [view.key, view.state.slot]));
      for (const { key, state } of views(step)) {
        const [old, slot] = [before.get(key), state.slot];
        must(slot.settledTo >= slot.fromPeriod, "settled before the tenure", { key });
        if (old?.fromPeriod === slot.fromPeriod) must(slot.settledTo >= old.settledTo, "settled periods fell", { key });
      }
    },
  },
  {
    id: "M14",
    text: "a deal's end moves only by renewal, up to renewUntil, or to the next period when it is stopped",
    check: (step) =>
      eachDeal(step, (dealId, { deal }, before) => {
        same(deal.end, step.model.deals.get(dealId)?.end, "end", { dealId });
        if (before !== undefined && deal.end > before.deal.end) must(deal.end <= deal.renewUntil, "renewed too far", { dealId });
      }),
  },
  {
    id: "M15",
    text: "nothing is settled before it is final",
    check: (step) => {
      for (const { args } of eventsOf(step, "market", "SlotSettled")) {
        if (args.paidWei === 0n) continue;
        const provider = step.now.providers[Number(args.providerId) - 1];
        must(args.toPeriod <= (provider?.finalBefore ?? 0n), "settled too early", { to: args.toPeriod, final: provider?.finalBefore });
      }
    },
  },
  {
    id: "M16",
    text: "a credit falls only when its account withdraws all of it",
    check: (step) => {
      const left = new Set(eventsOf(step, "market", "Withdrawn").map(({ args }) => args.account as string));
      for (const [at, { marketWei }] of step.now.accounts.entries()) {
        const before = step.before.accounts[at]?.marketWei ?? 0n;
        if (marketWei < before) must(left.size === 1 && marketWei === 0n, "a credit fell", { at, before, marketWei });
      }
    },
  },
  {
    id: "M17",
    text: "a forfeited slot's parts sum to what was taken, the slot's share of what collateral is left; the owner's part goes to the deal's owner",
    check: (step) => {
      for (const { args } of eventsOf(step, "market", "SlotForfeited")) {
        same(args.fundWei + args.finderWei + args.ownerWei, args.slashedWei, "parts of a forfeit");
        const slot = slotsOf(step.before, step.model.dealIds).find((view) => view.key === slotKey(args.dealId, args.slotIndex));
        const { collateralWei = 0n, lockedWei = 1n } = step.before.providers[Number(args.providerId) - 1]?.provider ?? {};
        const whole = slot?.state.slot.collateralGwei ?? 0n;
        // Earlier slashes took every slot's part alike.
        const left = collateralWei < lockedWei ? (whole * (collateralWei / GWEI)) / (lockedWei / GWEI) : whole;
        const expected = ((left * args.bps) / BPS) * GWEI;
        same(args.slashedWei, expected, "forfeit", { whole, collateralWei, lockedWei });
        const owner = step.model.deals.get(args.dealId)?.owner;
        if (args.ownerWei === 0n) continue;
        const credited = eventsOf(step, "market", "Credited").some((e) => e.args.account === owner && e.args.amountWei === args.ownerWei);
        must(credited, "the owner got nothing", { owner });
      }
    },
  },
  {
    id: "M18",
    text: "owners are compensated by their own slots: the deal's owner and nobody else",
    check: (step) => {
      for (const { args } of eventsOf(step, "market", "OwnerCompensated")) {
        same(args.owner, step.model.deals.get(args.dealId)?.owner, "compensated");
      }
      must(step.now.unclaimedWei >= 0n, "unclaimed");
    },
  },
  {
    id: "M19",
    text: "an active deal has open slots; one that completed has none",
    check: (step) =>
      eachDeal(step, (dealId, { deal }) => {
        if (deal.status === DEAL.active) must(deal.openSlots > 0n, "nothing open", { dealId });
        if (deal.status === DEAL.completed) same(deal.openSlots, 0n, "open slots", { dealId });
      }),
  },
  {
    id: "M20",
    text: "a deal fails exactly when more than n - k of its slots are vacant",
    check: (step) =>
      eachDeal(step, (dealId, { deal }, before) => {
        const tooMany = deal.vacantSlots > deal.n - deal.k;
        if (deal.status === DEAL.active) must(!tooMany, "should have failed", { dealId });
        if (deal.status === DEAL.failed && before?.deal.status !== DEAL.failed) {
          const vacated = eventsOf(step, "market", "SlotVacated").filter(({ args }) => args.dealId === dealId).length;
          must((before?.deal.vacantSlots ?? 0n) + BigInt(vacated) > deal.n - deal.k, "failed too early", { dealId });
        }
      }),
  },
  {
    id: "M21",
    text: "a slot is Closed only once its deal has ended, with nothing left in it",
    check: (step) => {
      for (const { key, state, deal } of views(step)) {
        if (state.slot.status !== SLOT.closed) continue;
        must(step.now.current >= deal.end, "closed early", { key });
        must(state.slot.settledTo >= deal.end, "closed with escrow left", { key });
      }
    },
  },
];
