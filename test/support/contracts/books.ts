/** What must hold after every scenario, whatever happened: the numbered invariants of the interfaces that views can show. */
import { expect } from "chai";
import { GWEI } from "./parameters.ts";
import type { OpenedDeal, World } from "./world.ts";

const [VACANT, CLOSED, RESERVED] = [2n, 3n, 5n];

/** Tests of slots use no account beyond these. */
const ACCOUNTS_USED = 40;

interface Held {
  lockedGwei: bigint;
  liveGwei: bigint;
}

/** M1, M2, M9, R1, R2, P4, N2 and C3 to the wei; `deals` are all that were ever opened. */
export async function checkBooks(world: World, deals: readonly OpenedDeal[]): Promise<void> {
  const accounts = world.signers.slice(0, ACCOUNTS_USED).map(({ address }) => address);
  expect(await world.token.balanceOf(world.market), "M1").to.equal(await world.bookedWei(deals, accounts));
  await checkDeals(world, deals);
  await checkProviders(world, deals);
  let [bonds, reservations] = [0n, 0n];
  for (const { dealId, terms } of deals) {
    for (const slotIndex of terms.offers.keys()) {
      bonds += (await world.challenges.challengeOf(dealId, slotIndex)).bondWei;
      reservations += (await world.repair.reservationOf(dealId, slotIndex)).bondWei;
    }
  }
  for (const account of accounts) {
    bonds += await world.challenges.creditOf(account);
    reservations += await world.repair.creditOf(account);
  }
  expect(await world.token.balanceOf(world.challenges), "C3").to.equal(bonds);
  expect(await world.token.balanceOf(world.repair), "N2").to.equal(reservations);
}

/** M9: a slot of an evicted provider counts as vacant once it was settled. */
async function checkDeals(world: World, deals: readonly OpenedDeal[]): Promise<void> {
  for (const { dealId } of deals) {
    const { openSlots, vacantSlots } = await world.market.deal(dealId);
    let [open, vacant] = [0n, 0n];
    for (const [slotIndex, slot] of (await world.market.slots(dealId)).entries()) {
      if (slot.status !== CLOSED) open += 1n;
      if (slot.status === RESERVED) vacant += 1n;
      if (slot.status === VACANT && !(await isUnsettled(world, dealId, slotIndex, slot.providerId))) vacant += 1n;
    }
    expect([openSlots, vacantSlots], "M9").to.deep.equal([open, vacant]);
  }
}

/** Whether a slot shows as vacant only because its provider was evicted: it is still on the provider's line. */
async function isUnsettled(world: World, dealId: string, slotIndex: number, providerId: bigint): Promise<boolean> {
  const evictedAt = await world.registry.evictedAtPeriod(providerId);
  if (evictedAt === 0n) return false;
  const vacated = await world.market.queryFilter(world.market.filters.SlotVacated(dealId, slotIndex, providerId));
  return !vacated.some(({ args }) => args.period >= evictedAt);
}

async function checkProviders(world: World, deals: readonly OpenedDeal[]): Promise<void> {
  let collateralWei = 0n;
  for (let providerId = 1n; providerId <= (await world.registry.providerCount()); providerId += 1n) {
    const provider = await world.registry.getProvider(providerId);
    collateralWei += provider.collateralWei;
    const held: Held = { lockedGwei: 0n, liveGwei: 0n };
    for (const { dealId } of deals) await addHeld(world, dealId, providerId, held);
    const { liveGwei, lockedGwei } = await world.proofs.inventory(providerId);
    expect([liveGwei, lockedGwei], "P4").to.deep.equal([held.liveGwei, held.lockedGwei]);
    expect(provider.lockedWei, "R2").to.equal(held.lockedGwei * GWEI);
    if (provider.evictedAtPeriod !== 0n) expect(provider.collateralWei, "R5").to.equal(0n);
  }
  expect(await world.token.balanceOf(world.registry), "R1").to.equal(collateralWei);
}

async function addHeld(world: World, dealId: string, providerId: bigint, held: Held): Promise<void> {
  for (const [slotIndex, slot] of (await world.market.slots(dealId)).entries()) {
    const isHeld =
      slot.status === 1n ||
      slot.status === 4n ||
      (slot.status === VACANT && (await isUnsettled(world, dealId, slotIndex, slot.providerId)));
    if (slot.providerId === providerId && isHeld) {
      held.lockedGwei += slot.collateralGwei;
      held.liveGwei += slot.payGwei;
    }
    const past = await world.market.pastTenure(dealId, slotIndex, providerId);
    if (!past.isSettled) {
      held.lockedGwei += past.collateralGwei;
      held.liveGwei += past.payGwei;
    }
  }
}
