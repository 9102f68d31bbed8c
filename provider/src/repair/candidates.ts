/**
 * Which providers may take a rebuilt slot: none that has one of the deal, those with room, free collateral and a price that the deal pays;
 * owners and failure domains that have no slot of the deal first.
 */
import { type DealHeader, type ProviderInfo, payForSlot, slotBytes } from "@ppio/core";
import { id } from "ethers";
import { askChain } from "../ask-chain.ts";
import type { Peer, RepairContext } from "./context.ts";
import type { DealSlot, RepairableDeal } from "./deal.ts";
import { loadPeer, within } from "./peers.ts";

/** Providers that are looked at for one repair, in an order of chance. */
const LOOKED_AT_MAX = 64;
const ASKED_AT_ONCE = 16;
/** Beyond those that are needed, so that there is a choice. */
const SPARES = 3;

/** What a slot of the deal asks of who takes it. */
export interface SlotNeeds {
  readonly bytes: number;
  /** The lowest and the highest of the vacant slots: whoever takes any must fit all. */
  readonly payPerPeriodWei: bigint;
  readonly collateralWei: bigint;
}

export function needsOf(header: DealHeader, slots: readonly DealSlot[]): SlotNeeds {
  const pays = slots.map((slot) => slot.payPerPeriodWei);
  const collaterals = slots.map((slot) => slot.collateralWei);
  return {
    bytes: slotBytes(header),
    payPerPeriodWei: pays.reduce((a, b) => (a < b ? a : b)),
    collateralWei: collaterals.reduce((a, b) => (a > b ? a : b)),
  };
}

/** Whether this provider itself may keep one of the slots. @throws CHAIN_UNREACHABLE, IO */
export async function canKeepOne(context: RepairContext, deal: RepairableDeal, slot: DealSlot, period: number): Promise<boolean> {
  const { chain, store, config, providerId } = context;
  if (deal.end - period > config.periodsMax || deal.renewUntil - period > config.periodsMax) return false;
  if (deal.slots.some((other) => other.state === "held" && other.providerId === providerId)) return false;
  const { bytes, payPerPeriodWei, collateralWei } = needsOf(deal.header, [slot]);
  if (payPerPeriodWei < payForSlot(config.pricePerGibPeriodWei, bytes)) return false;
  const ruleWei = payPerPeriodWei * BigInt(config.collateralPeriods);
  const [freeWei, hasHeldIt, freeBytes] = await Promise.all([
    askChain(() => chain.registry.freeCollateral(providerId)),
    hasHeld(context, deal.dealId, slot.slotIndex, providerId),
    store.availableBytes(),
  ]);
  if (freeWei < (ruleWei > collateralWei ? ruleWei : collateralWei) || freeWei < config.minCollateralWei) return false;
  return !hasHeldIt && freeBytes >= bytes;
}

/** Others that may take one, best first: as many as slots, or fewer. Each period has another order. @throws CHAIN_UNREACHABLE */
export async function findTakers(
  context: RepairContext,
  deal: RepairableDeal,
  slots: readonly DealSlot[],
  period: number,
  signal: AbortSignal,
): Promise<Peer[]> {
  const needed = slots.length;
  if (needed === 0) return [];
  const { chain, providerId } = context;
  const holders = new Set(deal.slots.filter(({ state }) => state === "held").map((slot) => slot.providerId));
  const count = Number(await askChain(() => chain.registry.providerCount()));
  const chance = (candidate: number): string => id(`${deal.dealId}/${candidate}/${providerId}/${period}`);
  const order = Array.from({ length: count }, (_, at) => at + 1)
    .filter((candidate) => candidate !== providerId && !holders.has(candidate))
    .map((candidate) => ({ candidate, chance: chance(candidate) }))
    .sort((a, b) => (a.chance < b.chance ? -1 : 1))
    .slice(0, LOOKED_AT_MAX);
  const fit: Peer[] = [];
  for (let at = 0; at < order.length && fit.length < needed + SPARES; at += ASKED_AT_ONCE) {
    const asked = order.slice(at, at + ASKED_AT_ONCE);
    const judged = await Promise.all(asked.map(({ candidate }) => judge(context, deal, slots, candidate, signal)));
    fit.push(...judged.filter((peer) => peer !== undefined));
  }
  return spreadOut(fit, await Promise.all([...holders].map((holder) => loadPeer(chain, holder))));
}

async function judge(
  context: RepairContext,
  deal: RepairableDeal,
  slots: readonly DealSlot[],
  candidate: number,
  signal: AbortSignal,
): Promise<Peer | undefined> {
  const { chain } = context;
  const peer = await loadPeer(chain, candidate);
  if (peer.isEvicted || peer.endpoint === "") return undefined;
  const needs = needsOf(deal.header, slots);
  const [freeWei, held] = await Promise.all([
    askChain(() => chain.registry.freeCollateral(candidate)),
    Promise.all(slots.map(({ slotIndex }) => hasHeld(context, deal.dealId, slotIndex, candidate))),
  ]);
  if (freeWei < needs.collateralWei || held.includes(true)) return undefined;
  try {
    const info = await context.api(peer.endpoint).info(within(signal));
    return takes(info, needs, candidate) ? peer : undefined;
  } catch {
    return undefined;
  }
}

function takes(info: ProviderInfo, needs: SlotNeeds, candidate: number): boolean {
  const asked = payForSlot(BigInt(info.pricePerGibPeriodWei), needs.bytes);
  return info.providerId === candidate && info.freeBytes >= needs.bytes && asked <= needs.payPerPeriodWei;
}

/** An old interval of the slot on its line keeps a provider from the slot (`HeldBefore`). */
async function hasHeld({ chain }: RepairContext, dealId: string, slotIndex: number, providerId: number): Promise<boolean> {
  const past = await askChain(() => chain.market.pastTenure(dealId, slotIndex, providerId));
  return past.payGwei !== 0n;
}

function spreadOut(fit: readonly Peer[], holders: readonly Peer[]): Peer[] {
  const shared = (peer: Peer): number =>
    holders.filter((holder) => holder.owner === peer.owner).length +
    holders.filter((holder) => holder.failureDomain === peer.failureDomain).length;
  return [...fit].sort((a, b) => shared(a) - shared(b));
}
