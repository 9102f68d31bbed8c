/**
 * One repair from plan to end: reserve the vacant slots, rebuild them from k others, hand them over, show the leaves, fill. What cannot be
 * finished is given back, since the bond falls by time; what a stop or a crash interrupts is gone on with after the next start.
 */
import { isPpioError, PpioError } from "@ppio/core";
import { askChain } from "../ask-chain.ts";
import { issueRepairTicket } from "./authority.ts";
import { canKeepOne, findTakers } from "./candidates.ts";
import type { RepairContext } from "./context.ts";
import { type DealSlot, findDealSalt, loadRepairable, type RepairableDeal } from "./deal.ts";
import { awaitRound, fillSlot } from "./fill.ts";
import { ownTarget } from "./own-target.ts";
import { peerTarget } from "./peer-target.ts";
import { loadPeer } from "./peers.ts";
import type { PlannedSlot, Plans, RepairPlan } from "./plans.ts";
import { ownSource, peerSource } from "./read-source.ts";
import { rebuild } from "./rebuild.ts";
import { type OwnReservation, ownReservation, release, reserve } from "./reservations.ts";
import { type Source, Sources } from "./sources.ts";
import type { RefillDates, Target } from "./target.ts";

/** Kept for the offers and the last transactions. */
const END_MARGIN_MS = 10_000;

type Salted = RepairableDeal & { readonly dealSalt: string };

/** Which of the vacant slots go where: one stays here when it may, the others go to takers. Fewer when there are not enough. */
export async function planRepair(
  context: RepairContext,
  deal: RepairableDeal,
  vacant: readonly DealSlot[],
  period: number,
  signal: AbortSignal,
): Promise<RepairPlan | undefined> {
  const [first] = vacant;
  if (first === undefined) return undefined;
  const keeps = (await canKeepOne(context, deal, first, period)) ? [first] : [];
  const others = vacant.slice(keeps.length);
  const takers = await findTakers(context, deal, others, period, signal);
  const slots: PlannedSlot[] = [
    ...keeps.map(({ slotIndex }) => ({ slotIndex, providerId: context.providerId })),
    ...others.flatMap(({ slotIndex }, at) => {
      const taker = takers[at];
      return taker === undefined ? [] : [{ slotIndex, providerId: taker.providerId }];
    }),
  ];
  if (slots.length === 0) return undefined;
  const attempt = `${deal.dealId}/${slots.map(({ slotIndex }) => slotIndex).join(",")}/${period}/${context.now()}`;
  return { version: 1, dealId: deal.dealId, slots, attempt };
}

/**
 * Reserves what a new plan names. The plan is on the disk before.
 * @throws CHAIN_REVERT when another one was first, NO_FUNDS, CHAIN_UNREACHABLE
 */
export async function reservePlanned(context: RepairContext, plans: Plans, plan: RepairPlan, deal: RepairableDeal): Promise<void> {
  await plans.save(plan);
  try {
    await reserve(context, plan.dealId, plan.attempt, slotsOf(deal, plan.slots));
  } catch (error) {
    // Sent or not, a restart finds out; refused, there is nothing to go on with.
    if (isPpioError(error, "CHAIN_REVERT") || isPpioError(error, "NO_FUNDS")) await plans.remove(plan.dealId);
    throw error;
  }
}

/**
 * Goes on with a plan whose slots are reserved, to its end.
 * @returns how many slots were filled of how many that were reserved
 * @throws whatever keeps it from its end; then its reservations are given back, unless the process is stopping
 */
export async function carryOut(
  context: RepairContext,
  plans: Plans,
  plan: RepairPlan,
  signal: AbortSignal,
): Promise<{ readonly filled: number; readonly reserved: number }> {
  const found = await Promise.all(plan.slots.map(({ slotIndex }) => ownReservation(context, plan.dealId, slotIndex)));
  const usableUntil = (context.now() + END_MARGIN_MS) / 1000;
  const reservations = found.filter((own) => own !== undefined).filter(({ isOpen, until }) => isOpen && until > usableUntil);
  const targets: Target[] = [];
  let filled = 0;
  try {
    if (reservations.length > 0) {
      const deal = await loadRepairable(context.chain, plan.dealId);
      const salted = { ...deal, dealSalt: await findDealSalt(context.chain, context.domain, deal) };
      targets.push(...(await targetsOf(context, salted, plan, reservations)));
      filled = await fillAll(context, salted, targets, reservations, signal);
    }
  } catch (error) {
    if (signal.aborted || !isPpioError(error, "CANCELLED")) throw error;
    throw new PpioError("TIMEOUT", "The repair did not end before its reservation did; its slots are given back.", { cause: error });
  } finally {
    if (!signal.aborted) await giveBack(context, plans, plan, targets);
  }
  return { filled, reserved: reservations.length };
}

async function fillAll(
  context: RepairContext,
  deal: Salted,
  targets: readonly Target[],
  reservations: readonly OwnReservation[],
  signal: AbortSignal,
): Promise<number> {
  const { log, now, pace } = context;
  const deadlineMs = Math.min(...reservations.map(({ until }) => until * 1000)) - END_MARGIN_MS;
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, deadlineMs - now()))]);
  const sources = await sourcesOf(context, deal, reservations);
  // The round that draws the leaves comes to the chain meanwhile.
  const over = new AbortController();
  const rounds = [...new Set(reservations.map(({ round }) => round))];
  const [done] = await Promise.all([
    rebuild({ header: deal.header, sources, targets, pace, log, now, deadlineMs }, inTime),
    ...rounds.map((round) => awaitRound(context, round, AbortSignal.any([inTime, over.signal]))),
  ]).finally(() => over.abort());
  const dates = await refillDates(context, deal);
  let filled = 0;
  let wrongBytes: PpioError | undefined;
  for (const target of done) {
    const reservation = reservations.find(({ slotIndex }) => slotIndex === target.slot.slotIndex);
    if (reservation === undefined) continue;
    try {
      await fillSlot(context, deal, target, reservation, dates, inTime);
      filled += 1;
    } catch (error) {
      // One that does not keep its word, or a chain that refuses it, is no reason to give the others up.
      if (signal.aborted || isPpioError(error, "CHAIN_UNREACHABLE")) throw error;
      if (isPpioError(error, "CORRUPT")) wrongBytes = error;
      log.warn("a rebuilt slot could not be filled", { dealId: deal.dealId, slotIndex: target.slot.slotIndex, error });
    }
  }
  // What was read held against the chain: the slots are no code of each other.
  if (filled === 0 && wrongBytes !== undefined) throw wrongBytes;
  if (filled > 0) await collectPremium(context, deal.dealId);
  return filled;
}

/** The hot key keeps bonds only: what was earned goes to the owner's cold key. */
async function collectPremium({ chain, sender, operator, providerId, log }: RepairContext, dealId: string): Promise<void> {
  const creditWei = await askChain(() => chain.market.creditOf(operator.address));
  if (creditWei === 0n) return;
  const { owner } = await askChain(() => chain.registry.getProvider(providerId));
  if (owner === operator.address) return;
  const data = chain.market.interface.encodeFunctionData("withdraw", [owner]);
  const block = await askChain(() => chain.rpc.getBlockNumber());
  await sender.send(`repair-premium/${dealId}/${block}`, { to: chain.book.market, data });
  log.info("a repair's premium went to the owner", { dealId, creditWei });
}

/** Offers must reach the deal's end, and begin late enough to be used. */
async function refillDates({ chain, config }: RepairContext, deal: RepairableDeal): Promise<RefillDates> {
  const current = Number(await askChain(() => chain.proofs.currentPeriod()));
  const periodSeconds = Number(await askChain(() => chain.proofs.periodSeconds()));
  const startBy = Math.min(current + 1 + Math.ceil(config.offerSeconds / periodSeconds), deal.end - 1);
  return { startBy, periods: deal.end - startBy };
}

/** The own slot first: it costs no traffic. */
async function sourcesOf(context: RepairContext, deal: Salted, reservations: readonly OwnReservation[]): Promise<Sources> {
  const { chain, providerId, log, sleep } = context;
  const [reservation] = reservations;
  if (reservation === undefined) throw new PpioError("INTERNAL", "A repair has a reservation.");
  const held = deal.slots.filter(({ state }) => state === "held");
  const sources = await Promise.all(
    held.map(async (slot): Promise<Source> => {
      if (slot.providerId === providerId) return ownSource(context, deal, slot);
      const peer = await loadPeer(chain, slot.providerId);
      return peerSource(
        context,
        deal,
        slot,
        peer,
        await issueRepairTicket(context, deal.dealId, reservation.slotIndex, { providerId: slot.providerId, until: reservation.until }),
      );
    }),
  );
  sources.sort((a, b) => Number(b.providerId === providerId) - Number(a.providerId === providerId));
  return new Sources({ k: deal.header.k, sources, log, sleep });
}

async function targetsOf(
  context: RepairContext,
  deal: Salted,
  plan: RepairPlan,
  reservations: readonly OwnReservation[],
): Promise<Target[]> {
  const targets: Target[] = [];
  for (const { slotIndex, until } of reservations) {
    const planned = plan.slots.find((slot) => slot.slotIndex === slotIndex);
    const slot = deal.slots[slotIndex];
    if (planned === undefined || slot === undefined) continue;
    if (planned.providerId === context.providerId) targets.push(ownTarget(context, deal, slot, until));
    else targets.push(peerTarget(context, { deal, slot, peer: await loadPeer(context.chain, planned.providerId), until }));
  }
  return targets;
}

/** Ends what is still reserved, and forgets the plan once nothing is. */
async function giveBack(context: RepairContext, plans: Plans, plan: RepairPlan, targets: readonly Target[]): Promise<void> {
  for (const { slotIndex } of plan.slots) {
    const reservation = await ownReservation(context, plan.dealId, slotIndex);
    if (reservation === undefined) continue;
    await targets.find((target) => target.slot.slotIndex === slotIndex)?.drop();
    await release(context, plan.dealId, reservation);
  }
  await plans.remove(plan.dealId);
}

function slotsOf(deal: RepairableDeal, planned: readonly PlannedSlot[]): DealSlot[] {
  return planned.flatMap(({ slotIndex }) => deal.slots[slotIndex] ?? []);
}
