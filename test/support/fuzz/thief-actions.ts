/** What nobody may do: each call must be refused, whatever the state is. */
import type { ContractTransactionResponse } from "ethers";
import { PARAMS } from "../contracts/parameters.ts";
import type { Fuzz } from "./fuzz.ts";
import { draft } from "./market-actions.ts";
import { samplesOf } from "./provider-actions.ts";
import { DEAL, SLOT } from "./state.ts";

type Call = readonly [string, () => Promise<ContractTransactionResponse>];

/** Doors of contracts and owners, tried by an account that has no part in anything. */
export async function knock(f: Fuzz): Promise<void> {
  const thief = f.world.signer(12);
  const { address } = thief;
  const [market, registry, proofs] = [f.world.market.connect(thief), f.world.registry.connect(thief), f.world.proofs.connect(thief)];
  const [challenges, policy] = [f.world.challenges.connect(thief), f.world.policy.connect(thief)];
  const view = f.random.pick(f.views);
  const id = f.random.int(1, f.providers.length);
  const calls: Call[] = [
    ["slash", () => registry.slash(id, 10n ** 18n)],
    ["evict", () => registry.evict(id, 1)],
    ["useOperatorCap", () => registry.useOperatorCap(id, 1, 1)],
    ["rotateOperator", () => registry.rotateOperator(id, thief)],
    ["setOperatorCap", () => registry.setOperatorCap(id, 0)],
    ["startUnbonding", () => registry.startUnbonding(id, 10n ** 9n)],
    ["withdrawCollateral", () => registry.withdrawCollateral(id)],
    ["offerOwnership", () => registry.offerOwnership(id, thief)],
    ["acceptOwnership", () => registry.acceptOwnership(id)],
    ["append", () => proofs.append(id, 1, 1, 10n ** 9n, 1)],
    ["remove", () => proofs.remove(id, 1, 1, 1, 2)],
    ["punishMalice", () => proofs.punishMalice(id, thief)],
    ["slashForService", () => proofs.slashForService(id, 100)],
    ["bookSlash", () => market.bookSlash(thief, 1, 1, 1)],
    ["payFromRepairFund", () => market.payFromRepairFund(thief, 1)],
    ["setBond", () => challenges.setBond(10n ** 17n)],
    ["setParams", () => policy.setParams(PARAMS)],
    ["withdraw", () => market.withdraw(thief)],
    ["withdrawWithSig", () => market.withdrawWithSig(f.world.user, address, f.time + 99n, `0x${"11".repeat(65)}`)],
  ];
  if (view !== undefined) {
    const { dealId, slotIndex } = view;
    calls.push(
      ["moveInterval", () => market.moveInterval(dealId, slotIndex, id, 0)],
      ["forfeitSampled", () => market.forfeitSampled(dealId, slotIndex, id, 1)],
      ["startChallenge", () => market.startChallenge(dealId, slotIndex)],
      ["endChallenge", () => market.endChallenge(dealId, slotIndex, thief)],
      ["market's reserve", () => market.reserve(dealId, slotIndex)],
      ["unreserve", () => market.unreserve(dealId, slotIndex)],
      ["terminate", () => market.terminate(dealId)],
      ["renew", () => market.renew(dealId, view.deal.end + 1n)],
      ["declareLost", () => market.declareLost(dealId, slotIndex)],
      ["compact", () => proofs.compact(id, f.state.current, [{ dealId, slotIndex }])],
      ["terminateWithSig", () => market.terminateWithSig(dealId, f.time + 99n, `0x${"11".repeat(65)}`)],
    );
  }
  const call = f.random.pick(calls);
  if (call !== undefined) await f.forbid(call[0], call[1]);
}

/** Deals that must not come about: one id twice, one provider twice, offers that their provider never signed. */
export async function forge(f: Fuzz): Promise<void> {
  const { market } = f.world;
  const kind = f.random.int(0, 2);
  const [one, two] = f.random.shuffle(f.alive);
  if (one === undefined || two === undefined) return;
  if (kind === 0) {
    const old = f.random.pick(f.deals.filter(({ owner, payer }) => owner === payer));
    if (old === undefined) return;
    const terms = { ...old.terms, startBy: Number(f.state.current) + 1, offers: old.terms.offers.map((offer) => ({ ...offer })) };
    const holders = terms.offers.map((offer) => f.provider(Number(offer.providerId)));
    for (const [at, offer] of terms.offers.entries()) {
      offer.operatorEpoch = f.state.providers[(holders[at]?.providerId ?? 0) - 1]?.provider.operatorEpoch ?? 0n;
    }
    await f.world.signAll(
      terms,
      holders.filter((holder) => holder !== undefined),
    );
    await f.forbid(`deal id again ${old.dealId.slice(0, 8)}`, () => market.connect(old.owner).openDeals([terms]));
    return;
  }
  const made = await draft(f, kind === 1 ? [one, one] : [one, { ...two, operator: f.world.signer(12) }]);
  if (made === undefined || made.isPaidByAnother) return;
  await f.forbid(kind === 1 ? "one provider twice" : "an offer nobody signed", () => market.connect(made.owner).openDeals([made.terms]));
}

/** Proofs that show nothing: a wrong leaf, a live slot called a hole, another period's answers. */
export async function cheat(f: Fuzz): Promise<void> {
  const provider = f.random.pick(f.alive);
  const period = f.state.current - 1n;
  if (provider === undefined || f.model.isProven(BigInt(provider.providerId), period)) return;
  const proofs = f.world.proofs.connect(f.world.signer(12));
  const fault = f.random.pick(["leaf", "hole"] as const) ?? "leaf";
  const samples = samplesOf(f, provider.providerId, period, fault);
  if (samples === undefined) return;
  const right = samplesOf(f, provider.providerId, period, "none");
  if (JSON.stringify(samples) === JSON.stringify(right)) return;
  await f.forbid(`proof with a wrong ${fault} ${provider.providerId}`, () => proofs.prove(provider.providerId, period, samples));
}

/** Late and early answers, and challenges and repairs that must wait. */
export async function hurry(f: Fuzz): Promise<void> {
  const period = f.state.current - 2n;
  const provider = f.random.pick(f.alive);
  if (provider !== undefined && f.seeds.has(period)) {
    const samples = samplesOf(f, provider.providerId, period, "none");
    const { providerId } = provider;
    if (samples !== undefined) await f.forbid(`late proof ${providerId}`, () => f.world.proofs.prove(providerId, period, samples));
  }
  const asked = f.views.find(({ state }) => state.slot.status === SLOT.challenged && f.time < state.challenge.deadline - 5n);
  if (asked !== undefined) {
    await f.forbid(`early resolve ${asked.key}`, () => f.world.challenges.resolve(asked.dealId, asked.slotIndex));
    await f.forbid(`second challenge ${asked.key}`, () => f.world.challenges.open(asked.dealId, asked.slotIndex));
  }
  const kept = f.views.find(({ state }) => state.slot.status === SLOT.reserved && f.time < state.reservation.until - 5n);
  if (kept !== undefined) {
    const stranger = f.world.repair.connect(f.world.signer(12));
    await f.forbid(`release of another's ${kept.key}`, () => stranger.release(kept.dealId, kept.slotIndex));
  }
  const over = f.deals.find((_, at) => (f.state.deals[at]?.deal.status ?? DEAL.active) > DEAL.active);
  if (over !== undefined) await f.forbid("terminate twice", () => f.world.market.connect(over.owner).terminate(over.dealId));
}

/** A withdrawal that was carried once already. */
export async function replay(f: Fuzz): Promise<void> {
  const used = f.random.pick(f.withdrawals.filter(({ deadline }) => deadline > f.time + 5n));
  if (used === undefined) return;
  const { account, to, deadline, signature } = used;
  await f.forbid(`withdrawal again of ${account}`, () => f.world.market.withdrawWithSig(account, to, deadline, signature));
}
