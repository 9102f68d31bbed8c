/** The end of a run: time passes, everybody settles and leaves, and nothing may be stuck. */
import { REPORT_WINDOW, UNBONDING_SECONDS } from "../contracts/parameters.ts";
import type { Fuzz } from "./fuzz.ts";
import { InvariantViolation } from "./invariant.ts";
import { DEAL, SLOT } from "./state.ts";

function require(id: string, holds: boolean, text: string): void {
  if (!holds) throw new InvariantViolation(id, text, "at the end of the run");
}

async function endChallengesAndReservations(f: Fuzz): Promise<void> {
  for (const { dealId, slotIndex, key, state } of f.views) {
    if (state.challenge.bondWei !== 0n) {
      const isEnded = await f.send(`resolve ${key}`, () => f.world.challenges.resolve(dealId, slotIndex));
      require("X1", isEnded, "every challenge can be ended");
    }
    if (state.reservation.until !== 0n) {
      const isEnded = await f.send(`release ${key} other`, () => f.world.repair.connect(f.world.signer(12)).release(dealId, slotIndex));
      require("X2", isEnded, "every reservation can be ended");
    }
  }
}

async function settleEverything(f: Fuzz): Promise<void> {
  for (const { dealId, trees } of f.deals) {
    const isSettled = await f.send(`settle ${dealId.slice(0, 8)}`, () => f.world.market.settle(dealId, [...trees.keys()]));
    require("X3", isSettled, "every deal can be settled");
  }
  for (const { dealId, slotIndex, key, state } of f.views) {
    for (const { providerId, tenure } of state.past) {
      if (tenure.isSettled) continue;
      const isSettled = await f.send(`settleTenure ${key} of ${providerId}`, () =>
        f.world.market.settleTenure(dealId, slotIndex, providerId),
      );
      require("X4", isSettled, "every past tenure can be settled");
    }
  }
}

async function takeCollateralOut(f: Fuzz): Promise<void> {
  for (const { providerId, owner } of f.providers) {
    const freeWei = f.state.providers[providerId - 1]?.freeWei ?? 0n;
    if (freeWei > 0n) await f.send(`unbond ${providerId}`, () => f.world.registry.connect(owner).startUnbonding(providerId, freeWei));
  }
  await f.waitUntil(f.time + UNBONDING_SECONDS + 1n);
  for (const { providerId, owner } of f.providers) {
    if (f.state.providers[providerId - 1]?.provider.collateralWei === 0n) continue;
    await f.send(`withdrawCollateral ${providerId}`, () => f.world.registry.connect(owner).withdrawCollateral(providerId));
  }
}

async function takeCreditsOut(f: Fuzz): Promise<void> {
  for (const [at, account] of f.accounts.entries()) {
    for (const [from, of] of [
      ["market", "marketWei"] as const,
      ["challenges", "challengesWei"] as const,
      ["repair", "repairWei"] as const,
    ]) {
      if (f.state.accounts[at]?.[of] === 0n) continue;
      await f.send(`withdraw ${from}`, () => f.world[from].connect(account).withdraw(account));
    }
  }
}

export async function drain(f: Fuzz): Promise<void> {
  const end = f.state.deals.reduce((last, { deal }) => (deal.end > last ? deal.end : last), f.state.current);
  await f.waitUntil(f.closeOf(end + BigInt(REPORT_WINDOW) + 12n) + 5n);
  await endChallengesAndReservations(f);
  await settleEverything(f);
  await takeCollateralOut(f);
  await takeCreditsOut(f);

  const { state, model } = f;
  require("X5", state.deals.every(({ deal }) => deal.status !== DEAL.active && deal.openSlots === 0n), "all deals are closed");
  require("X5", f.views.every((view) => view.state.slot.status === SLOT.closed), "all slots are closed");
  require("X6", state.providers.every(({ provider }) => provider.lockedWei === 0n), "no collateral is locked");
  require("X7", state.registryWei === 0n, "all collateral can leave");
  require("X8", state.challengesWei === 0n && state.repairWei === 0n, "all bonds are back");
  require("X9", state.unclaimedWei === 0n && state.marketWei === state.fundWei, "what remains is the repair fund");
  for (const [dealId, deal] of model.deals) {
    for (let slot = 0n; slot < deal.n; slot += 1n) {
      const settled = model.slots.get(`${dealId}/${slot}`)?.settled;
      const periods = BigInt(settled?.size ?? 0);
      require("X10", periods === deal.end - deal.start, `every period of a deal is settled once (${dealId}/${slot}: ${periods})`);
    }
  }
}
