/** ISlotChallenges, ISlotRepair, IFraudProofs, and what holds for the whole core. */
import { eventsOf, type Invariant, must, same, sum } from "./invariant.ts";
import { BPS, GWEI, isHeld, SLOT, type SlotView, type Step, slotKey, slotsOf } from "./state.ts";

const NOBODY = "0x0000000000000000000000000000000000000000";
const CHALLENGES_MAX = 32n;

const views = (step: Step): SlotView[] => slotsOf(step.now, step.model.dealIds);
const viewBefore = (step: Step, dealId: string, slotIndex: bigint): SlotView | undefined =>
  slotsOf(step.before, step.model.dealIds).find(({ key }) => key === slotKey(dealId, slotIndex));
const isAsked = ({ state }: SlotView): boolean => state.challenge.challenger !== NOBODY;
const isKept = ({ state }: SlotView): boolean => state.reservation.repairer !== NOBODY;

function creditGain(step: Step, accounts: readonly string[], account: string, of: "challengesWei" | "repairWei"): bigint {
  const at = accounts.indexOf(account);
  return (step.now.accounts[at]?.[of] ?? 0n) - (step.before.accounts[at]?.[of] ?? 0n);
}

/** `accounts` in the order in which the lens reads them. */
export const challengeInvariants = (accounts: readonly string[]): readonly Invariant[] => [
  {
    id: "C1",
    text: "one open challenge per slot: it is the same until it ends",
    check: (step) => {
      for (const { args } of eventsOf(step, "challenges", "ChallengeOpened")) {
        const ended = eventsOf(step, "challenges", "ChallengeForfeited", "ChallengeDismissed").length > 0;
        const old = viewBefore(step, args.dealId, args.slotIndex);
        must(old === undefined || !isAsked(old) || ended, "opened over another one", { slot: args.slotIndex });
      }
    },
  },
  {
    id: "C2",
    text: "open ones of a provider, the owner's own not counted, are counted exactly and at most 32",
    check: (step) => {
      for (const [at, { openChallenges }] of step.now.providers.entries()) {
        const open = views(step).filter(
          (v) => isAsked(v) && !v.state.challenge.isOwners && v.state.challenge.providerId === BigInt(at + 1),
        );
        same(openChallenges, BigInt(open.length), "open challenges", { provider: at + 1 });
        must(openChallenges <= CHALLENGES_MAX, "too many", { provider: at + 1 });
      }
    },
  },
  {
    id: "C3",
    text: "token balance = Σ bonds of open challenges + Σ credits, to the wei",
    check: (step) => {
      const bonds = sum(views(step).filter(isAsked), ({ state }) => state.challenge.bondWei);
      same(step.now.challengesWei, bonds + sum(step.now.accounts, (a) => a.challengesWei), "challenges' balance");
    },
  },
  {
    id: "C4",
    text: "a slot is Challenged only while its challenge is open, by its present holder",
    check: (step) => {
      for (const view of views(step)) {
        if (view.state.slot.status !== SLOT.challenged) continue;
        must(isAsked(view), "challenged by nobody", { key: view.key });
        same(view.state.challenge.providerId, view.state.slot.providerId, "challenged provider", { key: view.key });
      }
    },
  },
  {
    id: "C5",
    text: "answered before its deadline; forfeited only after it",
    check: (step) => {
      for (const { name, args } of eventsOf(step, "challenges", "ChallengeAnswered", "ChallengeForfeited")) {
        const deadline = viewBefore(step, args.dealId, args.slotIndex)?.state.challenge.deadline ?? 0n;
        const isLate = step.now.timestamp > deadline;
        same(isLate, name === "ChallengeForfeited", "late", { name, deadline, at: step.now.timestamp });
      }
    },
  },
  {
    id: "C6",
    text: "the bond of an answered challenge is the provider's owner's, of any other the challenger's",
    check: (step) => {
      const ends = eventsOf(step, "challenges", "ChallengeAnswered", "ChallengeForfeited", "ChallengeDismissed");
      for (const { name, args } of ends) {
        const challenge = viewBefore(step, args.dealId, args.slotIndex)?.state.challenge;
        const owner = step.now.providers[Number(args.providerId) - 1]?.provider.owner ?? NOBODY;
        const to = name === "ChallengeAnswered" ? owner : (challenge?.challenger ?? NOBODY);
        same(creditGain(step, accounts, to, "challengesWei"), challenge?.bondWei, "bond", { name, to });
      }
    },
  },
  {
    id: "C7",
    text: "an answered slot stays with its holder, a forfeited one is nobody's",
    check: (step) => {
      for (const { name, args } of eventsOf(step, "challenges", "ChallengeAnswered", "ChallengeForfeited")) {
        const view = views(step).find(({ key }) => key === slotKey(args.dealId, args.slotIndex));
        if (view === undefined) continue;
        const wasHeld = viewBefore(step, args.dealId, args.slotIndex)?.state.slot.status === SLOT.challenged;
        const reopened = eventsOf(step, "challenges", "ChallengeOpened").length > 0;
        if (name === "ChallengeAnswered" && wasHeld) same(view.state.slot.status, SLOT.filled, "answered slot", { key: view.key });
        if (name === "ChallengeForfeited" && !reopened) must(!isHeld(view, step.model), "still held", { key: view.key });
      }
    },
  },
];

export const repairInvariants = (accounts: readonly string[], bondBps: bigint): readonly Invariant[] => [
  {
    id: "N1",
    text: "one reservation per slot: none over a running one",
    check: (step) => {
      for (const { args } of eventsOf(step, "repair", "SlotReserved")) {
        const old = viewBefore(step, args.dealId, args.slotIndex);
        const ended = eventsOf(step, "repair", "ReservationEnded").some((e) => e.args.slotIndex === args.slotIndex);
        must(old === undefined || !isKept(old) || ended, "reserved twice", { slot: args.slotIndex });
      }
    },
  },
  {
    id: "N2",
    text: "token balance = Σ bonds of reservations + Σ credits, to the wei",
    check: (step) => {
      const bonds = sum(views(step).filter(isKept), ({ state }) => state.reservation.bondWei);
      same(step.now.repairWei, bonds + sum(step.now.accounts, (a) => a.repairWei), "repair's balance");
    },
  },
  {
    id: "N3",
    text: "a bond's parts are the bond; what is returned falls with time alone and goes to its repairer",
    check: (step) => {
      const ends = eventsOf(step, "repair", "ReservationEnded");
      for (const { args } of ends) {
        const r = viewBefore(step, args.dealId, args.slotIndex)?.state.reservation;
        if (r === undefined) continue;
        same(args.returnedWei + args.decayedWei, r.bondWei, "parts of a bond");
        const left = step.now.timestamp >= r.until ? 0n : r.until - step.now.timestamp;
        same(args.returnedWei, (r.bondWei * left) / (r.until - r.openedAt), "returned", { left });
        const returned = sum(ends, (e) => (e.args.repairer === args.repairer ? e.args.returnedWei : 0n));
        same(creditGain(step, accounts, r.repairer, "repairWei"), returned, "credit of the repairer");
      }
    },
  },
  {
    id: "N4",
    text: "a slot is Reserved only while a reservation of it is kept",
    check: (step) => {
      for (const view of views(step)) {
        if (view.state.slot.status === SLOT.reserved) must(isKept(view), "reserved by nobody", { key: view.key });
      }
    },
  },
  {
    id: "N5",
    text: "a reservation ends by its holder, or by anyone once it is over",
    check: (step) => {
      for (const { args } of eventsOf(step, "repair", "ReservationEnded")) {
        const view = viewBefore(step, args.dealId, args.slotIndex);
        if (view === undefined) continue;
        const isOver = step.now.timestamp > view.state.reservation.until || view.state.slot.status !== SLOT.reserved;
        must(isOver || step.action.includes("own"), "ended by another", { action: step.action });
      }
    },
  },
  {
    id: "N6",
    text: "a bond is its share of the slot's collateral",
    check: (step) => {
      for (const { args } of eventsOf(step, "repair", "SlotReserved")) {
        const collateral = (viewBefore(step, args.dealId, args.slotIndex)?.state.slot.collateralGwei ?? 0n) * GWEI;
        same(args.bondWei, (collateral * bondBps) / BPS, "bond");
      }
    },
  },
];

export const wholeInvariants: readonly Invariant[] = [
  {
    id: "F1",
    text: "nobody is condemned for a lie but who signed one; it costs all and is the end",
    check: (step) => {
      for (const { args } of eventsOf(step, "proofs", "MaliceProven")) {
        must(step.action.startsWith("lie"), "no lie was told", { action: step.action });
        const provider = step.now.providers[Number(args.providerId) - 1]?.provider;
        must(provider?.collateralWei === 0n && provider.evictedAtPeriod !== 0n, "it goes on", { id: args.providerId });
      }
    },
  },
  {
    id: "A1",
    text: "what must be refused is refused",
    check: (step) => must(!step.action.startsWith("forbidden"), "it went through", { action: step.action }),
  },
  {
    id: "A2",
    text: "no token is made or lost: what accounts and contracts hold is what there was",
    check: (step) => {
      const total = (s: Step["now"]): bigint =>
        s.marketWei + s.registryWei + s.challengesWei + s.repairWei + sum(s.accounts, ({ tokenWei }) => tokenWei);
      same(total(step.now), total(step.before), "tokens");
    },
  },
];
