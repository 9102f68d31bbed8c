/**
 * Proves every period by itself: as soon as the seed is out, draws the points, reads the leaves, sends one transaction. A drawn slot whose
 * bytes are damaged is named lost in it, so that the other slots' pay is not. Nothing is proven, and nothing named, on a disk that fails
 * or is not there.
 */

import { isPpioError } from "@ppio/core";
import type { ProviderContext } from "../context.ts";
import { compactLine } from "./compaction.ts";
import type { Inventory } from "./inventory.ts";
import { answerSamples } from "./samples.ts";
import { findSeed } from "./seed.ts";

/** How long into the window a seed is left to the oracle before it is fetched and carried. */
const CARRY_AFTER_SHARE = 0.4;

/** What the prover remembers between two looks. */
export interface ProverState {
  /** Period after which the line was last looked at for holes: it is proven, or owes no proof. */
  keptAfter: number;
  /** The newest period that was looked at, and whether a proof of it was owed, and seen on the chain. */
  watched?: { readonly period: number; readonly isOwed: boolean; readonly isProven: boolean };
  /** Block of the last look that came to its end. */
  seenBlock?: string;
}

/** Proves the period that has just closed, if it is owed and possible now; then closes holes of the line. */
export async function proveDuePeriod(context: ProviderContext, inventory: Inventory, state: ProverState): Promise<void> {
  const block = await context.chain.rpc.getBlock("latest");
  if (block === null || (typeof block.hash === "string" && block.hash === state.seenBlock)) return;
  await lookAt(context, inventory, state, block.timestamp);
  if (typeof block.hash === "string") state.seenBlock = block.hash;
}

async function lookAt(context: ProviderContext, inventory: Inventory, state: ProverState, timestamp: number): Promise<void> {
  const { chain, providerId, alerts, log } = context;
  const current = Number(await chain.proofs.periodOf(timestamp));
  const period = current - 1;
  if (period < 1) return;
  if (state.watched !== undefined && state.watched.period < period) {
    await tellMiss(context, state.watched);
    // Told once, also when this look ends before the next period is watched: of one that was evicted it always does.
    delete state.watched;
  }
  const isKnown = state.watched?.period === period;
  // What is proven may be taken back by a reorg until the window closes: asked again with every block.
  if (state.keptAfter === period && !(isKnown && state.watched?.isProven)) return;
  if ((await chain.registry.evictedAtPeriod(providerId)) !== 0n) {
    alerts.raise({ kind: "evicted", message: "This provider was evicted: it earns nothing any more; stop it." });
    return;
  }
  const isProven = await chain.proofs.isProven(providerId, period);
  if (isProven) context.metrics.set("ppio_last_proven_period", period);
  if (state.keptAfter === period) {
    // With its seed, and that came again too late: nobody owes a proof any more.
    if (isProven || (await chain.proofs.isVoid(period))) return;
    log.warn("the chain took a proof back; it is sent again", { period });
    // Not done with this period any more, however many looks it takes: the seed may be gone with the proof.
    state.keptAfter = period - 1;
  }
  await inventory.refresh();
  const isOwed = !isProven && (await owesProof(context, inventory, period));
  state.watched = { period, isOwed, isProven };
  const outcome = isOwed ? await prove(context, inventory, period, timestamp) : "proven";
  if (outcome === "waiting") return;
  if (isOwed && outcome === "proven") state.watched = { period, isOwed, isProven: true };
  // Each call moves the gap on; the next look goes on where this one stopped.
  const hasCompacted = outcome !== "lost" && (await compactLine(context, inventory, current, outcome === "hopeless"));
  if (!hasCompacted) state.keptAfter = period;
}

/** The window of a period has closed. */
async function tellMiss(
  { chain, providerId, alerts, metrics }: ProviderContext,
  watched: NonNullable<ProverState["watched"]>,
): Promise<void> {
  const { period, isOwed, isProven } = watched;
  if (!isOwed || isProven) return;
  if ((await chain.proofs.isProven(providerId, period)) || (await chain.proofs.isVoid(period))) return;
  metrics.add("ppio_missed_periods_total", 1);
  const message = `Period ${period} was not proven: it is not paid, and several in a row cost collateral; the log says why.`;
  alerts.tellOnce({ kind: "period-missed", subject: String(period), message, details: { period } });
}

/** Nothing live at the close of a period: nothing is owed. */
async function owesProof({ chain, providerId }: ProviderContext, inventory: Inventory, period: number): Promise<boolean> {
  if ((await chain.proofs.lengthAt(providerId, period)) === 0n) return false;
  for (const interval of inventory.latest()) if (await inventory.isLive(interval, period)) return true;
  return false;
}

/**
 * `hopeless`: the line has too many holes for any proof, so the period is given up to close them; `lost`: nothing but damaged slots was
 * drawn, so there is no proof to be had.
 */
type Outcome = "proven" | "waiting" | "hopeless" | "lost";

async function prove(context: ProviderContext, inventory: Inventory, period: number, timestamp: number): Promise<Outcome> {
  const { chain, providerId, sender, metrics, log, alerts } = context;
  const { proofs } = chain;
  const [open, close] = await proofs.periodBounds(period);
  const mayCarry = timestamp - Number(close) >= CARRY_AFTER_SHARE * Number(close - open);
  const seed = await findSeed(chain, period, mayCarry);
  if (seed === undefined) return "waiting";
  // Too late to be carried: nobody owes a proof of a void period.
  if (seed.carry !== undefined && (await proofs.isVoid(period))) return "proven";
  try {
    // Without the disk of the start there is nothing to be said about any slot.
    await context.store.checkDisk();
    const answer = await answerSamples(context, inventory, { seed: seed.seed, providerId, period });
    alerts.clear("disk-failing", "prove");
    if (answer.isIncomplete) return tellIncomplete(context, period, answer.lost.length);
    const samples = [...answer.samples];
    const data =
      seed.carry === undefined
        ? proofs.interface.encodeFunctionData("prove", [providerId, period, samples])
        : proofs.interface.encodeFunctionData("proveWithBeacon", [providerId, period, samples, seed.carry.round, seed.carry.signature]);
    const receipt = await sender.send(`prove/${period}`, { to: chain.book.proofs, data }, "urgent");
    metrics.add("ppio_proofs_total", 1);
    metrics.add("ppio_named_lost_total", answer.lost.length);
    metrics.set("ppio_last_proven_period", period);
    log.info("period proven", { period, samples: samples.length, gas: receipt.gasUsed, hash: receipt.hash });
    for (const { dealId, slotIndex } of answer.lost) {
      const message = `Slot ${slotIndex} of deal ${dealId} was damaged on this disk when it was drawn, and is given up at half of its collateral.`;
      alerts.tellOnce({ kind: "damage-declared", subject: `${dealId}/${slotIndex}`, message, details: { dealId, slotIndex, period } });
    }
    return "proven";
  } catch (error) {
    metrics.add("ppio_proof_failures_total", 1);
    if (isPpioError(error, "IO")) alerts.raise({ kind: "disk-failing", subject: "prove", message: error.message });
    throw error;
  }
}

function tellIncomplete({ log }: ProviderContext, period: number, lost: number): Outcome {
  if (lost === 0) {
    log.error("the line has too many holes to be proven; they are closed at the price of this period", { period });
    return "hopeless";
  }
  log.error("nothing but damaged slots was drawn; the period cannot be proven, and the slots are given up", { period, lost });
  return "lost";
}
