/** What owners, payers, reporters, challengers, repairers, the committee and the timelock do. */

import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { RENEW_DEAL_TYPES } from "@ppio/core";
import { concat, keccak256 } from "ethers";
import { ethers } from "../contracts/chain.ts";
import { headerOf } from "../contracts/headers.ts";
import { CHALLENGE_BOND_WEI, NO_PERMIT, PARAMS, PERIOD_SECONDS, REPORT_DELAY_BLOCKS } from "../contracts/parameters.ts";
import { signPermit } from "../contracts/permit.ts";
import { distinctTree } from "../contracts/tree.ts";
import { OPEN_DEAL_TYPES, TERMINATE_DEAL_TYPES, WITHDRAW_TYPES } from "../contracts/typed-data.ts";
import type { TestProvider } from "../contracts/world.ts";
import type { Fuzz, FuzzDeal } from "./fuzz.ts";
import { lineOf } from "./provider-actions.ts";
import { DEAL, GWEI, SLOT, type SlotView } from "./state.ts";

const DEALS_MAX = 10;
/** As much as every spender is allowed from the start. */
export const PERMIT_WEI = 2n ** 255n;
export interface Draft extends FuzzDeal {
  readonly isPaidByAnother: boolean;
}

/** A deal that could be opened now. */
export async function draft(f: Fuzz, providers?: readonly TestProvider[]): Promise<Draft | undefined> {
  const r = f.random;
  const n = r.int(2, 4);
  const chosen = providers ?? r.shuffle(f.alive).slice(0, n);
  if (chosen.length < 2) return undefined;
  const owner = f.world.signer(r.pick([1, 9, 10]) ?? 1);
  const isPaidByAnother = r.chance(0.3);
  const payer = isPaidByAnother ? f.world.signer(11) : owner;
  const periods = r.int(1, 9);
  const leaves = r.int(1, 5);
  const { terms, trees } = await f.world.makeTerms(chosen, {
    ...{ owner, payer, periods, k: r.int(1, chosen.length - 1) },
    renewUntil: r.chance(0.5) ? Number(f.state.current) + periods + 6 : 0,
    payPerPeriodWei: chosen.map(() => BigInt(r.int(1, 400)) * GWEI * (r.chance(0.3) ? 1_009n : 1n)),
    collateralWei: BigInt(r.int(1, 900)) * GWEI * 1_000_003n,
    tree: distinctTree(`${f.deals.length}/${r.int(0, 9)}`, leaves),
  });
  const dealId = await f.world.market.dealIdOf(terms.owner, terms.dealSalt);
  for (const [at, tree] of trees.entries()) f.world.trees.set(`${dealId}/${at}`, tree);
  return { dealId, owner, payer, terms, trees, isPaidByAnother };
}

export async function openDraft(f: Fuzz, made: Draft, action: string): Promise<boolean> {
  const { market } = f.world;
  if (!made.isPaidByAnother) {
    const asOwner = market.connect(made.owner);
    if (f.random.chance(0.7)) return f.send(action, () => asOwner.openDeals([made.terms]));
    const permit = await signPermit(f.world.token, made.owner, market, PERMIT_WEI);
    return f.send(`${action} by permit`, () => asOwner.openDealsWithPermit([made.terms], permit));
  }
  const max = made.terms.offers.reduce((total, { payPerPeriodWei }) => total + payPerPeriodWei, 0n) * BigInt(made.terms.periods);
  const signed = {
    ...{ owner: made.terms.owner, payer: made.terms.payer, dealSalt: made.terms.dealSalt, headerHash: keccak256(made.terms.header) },
    ...{ rootsHash: keccak256(concat(made.trees.map(({ root }) => root))), maxEscrowWei: max, deadline: f.time + 1_000n },
  };
  const signature = await made.owner.signTypedData(await f.world.domain(), OPEN_DEAL_TYPES, signed);
  return f.send(action, () => market.connect(made.payer).openDealWithSig(made.terms, max, signed.deadline, signature));
}

export async function openDeal(f: Fuzz): Promise<void> {
  const open = f.state.deals.filter(({ deal }) => deal.status === DEAL.active).length;
  if (open > 4 || f.deals.length >= DEALS_MAX) return;
  const made = await draft(f);
  if (made === undefined) return;
  const who = made.terms.offers.map(({ providerId }) => providerId).join();
  if (await openDraft(f, made, `open ${made.dealId.slice(0, 8)} providers ${who} for ${made.terms.periods}`)) f.deals.push(made);
}

const anyDeal = (f: Fuzz, status?: bigint): FuzzDeal | undefined =>
  f.random.pick(f.deals.filter((_, at) => status === undefined || f.state.deals[at]?.deal.status === status));

export async function settle(f: Fuzz): Promise<void> {
  const deal = anyDeal(f);
  if (deal === undefined) return;
  await f.send(`settle ${deal.dealId.slice(0, 8)}`, () => f.world.market.settle(deal.dealId, [...deal.trees.keys()]));
}

export async function settleTenure(f: Fuzz): Promise<void> {
  const views = f.views.filter(({ state }) => state.past.some(({ tenure }) => !tenure.isSettled));
  const view = f.random.pick(views);
  const past = view?.state.past.find(({ tenure }) => !tenure.isSettled);
  if (view === undefined || past === undefined) return;
  await f.send(`settleTenure ${view.key} of ${past.providerId}`, () =>
    f.world.market.settleTenure(view.dealId, view.slotIndex, past.providerId),
  );
}

export async function endEarly(f: Fuzz): Promise<void> {
  const deal = anyDeal(f, DEAL.active);
  if (deal === undefined) return;
  if (f.random.chance(0.5)) {
    await f.send(`terminate ${deal.dealId.slice(0, 8)}`, () => f.world.market.connect(deal.owner).terminate(deal.dealId));
    return;
  }
  const deadline = f.time + 100n;
  const signature = await deal.owner.signTypedData(await f.world.domain(), TERMINATE_DEAL_TYPES, { dealId: deal.dealId, deadline });
  await f.send(`terminateWithSig ${deal.dealId.slice(0, 8)}`, () => f.world.market.terminateWithSig(deal.dealId, deadline, signature));
}

export async function renew(f: Fuzz): Promise<void> {
  const deal = anyDeal(f, DEAL.active);
  const state = deal && f.state.deals[f.deals.indexOf(deal)];
  if (deal === undefined || state === undefined) return;
  const { market, token } = f.world;
  const { dealId, payer } = deal;
  const newEnd = state.deal.end + BigInt(f.random.int(1, 3));
  const how = f.random.pick(["", "WithPermit", "WithSig"] as const) ?? "";
  const action = `renew${how} ${dealId.slice(0, 8)} to ${newEnd}`;
  if (how === "") {
    await f.send(action, () => market.connect(payer).renew(dealId, newEnd));
    return;
  }
  const permit = how === "WithPermit" || f.random.chance(0.5) ? await signPermit(token, payer, market, PERMIT_WEI) : NO_PERMIT;
  if (how === "WithPermit") {
    await f.send(action, () => market.connect(payer).renewWithPermit(dealId, newEnd, permit));
    return;
  }
  const deadline = f.time + 100n;
  const signature = await payer.signTypedData(await f.world.domain(), RENEW_DEAL_TYPES, { dealId, newEnd, deadline });
  await f.send(action, () => market.connect(f.world.signer(12)).renewWithSig(dealId, newEnd, deadline, signature, permit));
}

export async function refill(f: Fuzz): Promise<void> {
  const view = f.random.pick(f.views.filter(({ state }) => state.slot.status === SLOT.vacant));
  const deal = view && f.dealOf(view.dealId);
  const to = f.random.pick(f.alive);
  if (view === undefined || deal === undefined || to === undefined) return;
  const { offer, refill: terms } = await f.world.refillOffer(deal, view.slotIndex, to);
  await f.send(`refill ${view.key} by ${to.providerId}`, () =>
    f.world.market.connect(deal.owner).refill(view.dealId, view.slotIndex, offer, terms),
  );
}

export async function withdraw(f: Fuzz): Promise<void> {
  const from = f.random.pick(["market", "challenges", "repair"] as const) ?? "market";
  const owed = f.accounts.filter((_, at) => f.state.accounts[at]?.[`${from}Wei`] !== 0n);
  const account = f.random.pick(owed) ?? f.random.pick(f.accounts);
  if (account === undefined) return;
  if (from === "market" && f.random.chance(0.6)) await withdrawSigned(f, account);
  else await f.send(`withdraw ${from}`, () => f.world[from].connect(account).withdraw(account));
}

async function withdrawSigned(f: Fuzz, signer: HardhatEthersSigner): Promise<void> {
  const { market } = f.world;
  const nonce = await market.nonceOf(signer);
  const order = { account: signer.address, to: f.random.pick(f.accounts)?.address ?? signer.address, deadline: f.time + 10_000n };
  const signature = await signer.signTypedData(await f.world.domain(), WITHDRAW_TYPES, { ...order, nonce });
  const carrier = market.connect(f.world.signer(12));
  const isDone = await f.send("withdrawWithSig", () => carrier.withdrawWithSig(order.account, order.to, order.deadline, signature));
  if (isDone) f.withdrawals.push({ ...order, signature });
}

/** Reports the oldest miss that may be reported of some provider. */
export async function report(f: Fuzz): Promise<void> {
  const provider = f.random.pick(f.alive);
  const state = provider && f.state.providers[provider.providerId - 1];
  if (provider === undefined || state === undefined || state.finalBefore + 2n > f.state.current) return;
  const period = state.finalBefore;
  const slot = lineOf(f, provider.providerId).find(({ from, until }) => from <= period && period < until);
  const named = slot ?? f.random.pick(lineOf(f, provider.providerId));
  if (named === undefined) return;
  const { proofs } = f.world;
  const opened = await proofs.reportsOpen();
  if (opened.period !== f.state.current) await f.send("openReports", () => proofs.openReports());
  await f.mine(REPORT_DELAY_BLOCKS);
  await f.send(`miss provider ${provider.providerId} period ${period}`, () =>
    proofs.connect(f.world.reporter).reportMiss(provider.providerId, period, named.dealId, named.slotIndex),
  );
}

export async function voidPeriod(f: Fuzz): Promise<void> {
  const period = f.state.current - BigInt(f.random.int(1, 3));
  if (period > 0n) await f.send(`void ${period}`, () => f.world.proofs.voidPeriod(period));
}

/** The longest pause between two of the last blocks, as far as it lies in the time to prove `period`. */
async function longestPause(f: Fuzz, period: bigint): Promise<{ seconds: bigint; child: number }> {
  const [from, to] = [f.closeOf(period), f.closeOf(period + 1n)];
  let longest = { seconds: 0n, child: 0 };
  const last = await ethers.provider.getBlock("latest");
  for (let child = last; child !== null && BigInt(child.timestamp) > from; ) {
    const parent = await ethers.provider.getBlock(child.number - 1);
    if (parent === null) break;
    const [start, end] = [BigInt(parent.timestamp), BigInt(child.timestamp)];
    const seconds = (end < to ? end : to) - (start > from ? start : from);
    if (seconds > longest.seconds) longest = { seconds, child: child.number };
    child = parent;
  }
  return longest;
}

/** Shows the chain's longest pause while a period could be proven: a halt if it took more than half of that time, else none. */
export async function showHalt(f: Fuzz): Promise<void> {
  const period = f.state.current - BigInt(f.random.int(2, 3));
  if (period < 1n) return;
  const { seconds, child } = await longestPause(f, period);
  if (seconds === 0n) return;
  const [parentHeader, header] = [await headerOf(child - 1), await headerOf(child)];
  const call = () => f.world.proofs.connect(f.world.reporter).voidHaltedPeriod(period, parentHeader.rlp, header.rlp);
  // A period that is void already is left alone, by whatever headers.
  if (seconds * 2n > PERIOD_SECONDS || f.model.voided.has(period)) await f.send(`halt ${period}`, call);
  else await f.forbid(`halt ${period} of ${seconds} s`, call);
}

export async function openChallenge(f: Fuzz): Promise<void> {
  const view = f.random.pick(f.views.filter(({ state }) => state.slot.status === SLOT.filled));
  const deal = view && f.dealOf(view.dealId);
  const challenger = f.random.chance(0.25) ? deal?.owner : f.world.signer(f.random.int(5, 6));
  if (view === undefined || challenger === undefined) return;
  await f.send(`challenge ${view.key}`, () => f.world.challenges.connect(challenger).open(view.dealId, view.slotIndex));
}

const isAsked = ({ state }: SlotView): boolean => state.challenge.bondWei !== 0n;

/** Shows the beacon's round if it is due and may come at all. @returns whether it is known */
async function knows(f: Fuzz, round: bigint): Promise<boolean> {
  if (f.rounds.has(round)) return true;
  if (f.time < f.timeOfRound(round) || round % 9n === 0n) return false;
  return f.submit(round);
}

export async function answer(f: Fuzz): Promise<void> {
  const view = f.random.pick(f.views.filter(isAsked));
  const provider = view && f.provider(view.state.challenge.providerId);
  if (view === undefined || provider === undefined || provider.habit === "losing") return;
  if (!(await knows(f, view.state.challenge.round))) return;
  const leaves = await f.world.challenges.leavesOf(view.dealId, view.slotIndex);
  const proofs = f.world.leafProofs(view.dealId, view.slotIndex, leaves);
  await f.send(`answer ${view.key}`, () => f.world.challenges.connect(provider.operator).answer(view.dealId, view.slotIndex, proofs));
}

export async function resolve(f: Fuzz): Promise<void> {
  const view = f.random.pick(f.views.filter(isAsked));
  if (view === undefined) return;
  if (f.time > view.state.challenge.deadline) await knows(f, view.state.challenge.round);
  await f.send(`resolve ${view.key}`, () => f.world.challenges.resolve(view.dealId, view.slotIndex));
}

export async function reserve(f: Fuzz): Promise<void> {
  const view = f.random.pick(f.views.filter(({ state }) => state.slot.status === SLOT.vacant));
  if (view === undefined) return;
  const repairer = f.world.signer(f.random.int(7, 8));
  await f.send(`reserve ${view.key}`, () => f.world.repair.connect(repairer).reserve(view.dealId, [view.slotIndex]));
}

const isKept = ({ state }: SlotView): boolean => state.reservation.until !== 0n;

export async function fillReserved(f: Fuzz): Promise<void> {
  const view = f.random.pick(f.views.filter(isKept));
  const deal = view && f.dealOf(view.dealId);
  const to = f.random.pick(f.alive);
  const repairer = f.accounts.find(({ address }) => address === view?.state.reservation.repairer);
  if (view === undefined || deal === undefined || to === undefined || repairer === undefined) return;
  if (!(await knows(f, view.state.reservation.round))) return;
  const leaves = await f.world.repair.leavesOf(view.dealId, view.slotIndex, to.providerId);
  const proofs = f.world.leafProofs(view.dealId, view.slotIndex, leaves);
  const { offer, refill: terms } = await f.world.refillOffer(deal, view.slotIndex, to);
  await f.send(`fill ${view.key} by ${to.providerId}, own reservation`, () =>
    f.world.repair.connect(repairer).fill(view.dealId, view.slotIndex, offer, terms, proofs),
  );
}

export async function release(f: Fuzz): Promise<void> {
  const view = f.random.pick(f.views.filter(isKept));
  if (view === undefined) return;
  const holder = f.accounts.find(({ address }) => address === view.state.reservation.repairer);
  const isOwn = f.random.chance(0.5);
  const sender = isOwn ? holder : f.world.signer(12);
  if (sender === undefined) return;
  await f.send(`release ${view.key} ${isOwn ? "own" : "other"}`, () => f.world.repair.connect(sender).release(view.dealId, view.slotIndex));
}

export async function tune(f: Fuzz): Promise<void> {
  const r = f.random;
  if (r.chance(0.3)) {
    const bond = CHALLENGE_BOND_WEI / BigInt(r.int(1, 5));
    await f.send(`setBond ${bond}`, () => f.world.challenges.connect(f.world.timelock).setBond(bond));
    return;
  }
  const fundBps = r.int(4_000, 6_000);
  const declaredLossBps = r.int(500, 1_500);
  const next = {
    ...PARAMS,
    ...{ fundBps, declaredLossBps, reporterBps: r.int(0, 500), challengerBps: r.int(0, 1_000), protocolFeeBps: r.int(0, 1_000) },
    ...{ premiumBps: Math.floor((declaredLossBps * fundBps - 1) / 10_000) - 1, missBps: r.int(0, 900), destroyAfterMisses: r.int(2, 6) },
    premiumRampPeriods: r.int(1, 5),
  };
  const { fundBps: fund, premiumBps: premium, protocolFeeBps: fee } = next;
  await f.send(`setParams fund ${fund} premium ${premium} fee ${fee}`, () => f.world.policy.connect(f.world.timelock).setParams(next));
}

export async function judge(f: Fuzz): Promise<void> {
  const provider = f.random.pick(f.alive);
  if (provider === undefined) return;
  const bps = f.random.int(1, 200);
  await f.send(`service ${provider.providerId} ${bps}`, () =>
    f.world.proofs.connect(f.world.committee).slashForService(provider.providerId, bps),
  );
}

export async function reward(f: Fuzz): Promise<void> {
  const amount = f.state.fundWei / BigInt(f.random.int(1, 400));
  await f.send(`reward ${amount}`, () => f.world.market.connect(f.world.committee).payFromRepairFund(f.world.signer(13), amount));
}

export async function donate(f: Fuzz): Promise<void> {
  const amount = BigInt(f.random.int(1, 1_000_000_000)) * 1_000_000n;
  await f.send(`donate ${amount}`, () => f.world.market.connect(f.world.user).donate(amount));
}
