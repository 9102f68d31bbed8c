/**
 * Proves every period by itself: as soon as the seed is out, draws the points, reads the leaves, sends one transaction. A slot whose bytes
 * are damaged cannot be answered for; that period is then lost and said so.
 */

import { buildLeafProof, challengeLeaf, challengePoint, LEAF_BYTES, PpioError } from "@ppio/core";
import { concat } from "ethers";
import type { ProviderContext } from "../context.ts";
import { uploadIdOf } from "../store/slot-record.ts";
import { compactLine } from "./compaction.ts";
import type { Interval, Inventory } from "./inventory.ts";
import { findSeed } from "./seed.ts";

/** The contract's own bound on points, holes included. */
const DRAWS_MAX = 256;
/** How long into the window a seed is left to the oracle before it is fetched and carried. */
const CARRY_AFTER_SHARE = 0.4;

interface Sample {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly proof: string;
}

/** What the prover remembers between two looks. */
export interface ProverState {
  /** Period after which the line was last looked at for holes. */
  keptAfter: number;
}

/** Proves the period that has just closed, if it is owed and possible now; then closes holes of the line. */
export async function proveDuePeriod(context: ProviderContext, inventory: Inventory, state: ProverState): Promise<void> {
  const { chain, providerId } = context;
  const block = await chain.rpc.getBlock("latest");
  if (block === null) return;
  const current = Number(await chain.proofs.periodOf(block.timestamp));
  const period = current - 1;
  if (period < 1 || (await chain.registry.evictedAtPeriod(providerId)) !== 0n) return;
  if (state.keptAfter === period) return;
  await inventory.refresh();
  const isProven = await chain.proofs.isProven(providerId, period);
  if (isProven) context.metrics.set("ppio_last_proven_period", period);
  const isSettled = isProven || !(await isOwed(context, inventory, period));
  const outcome = isSettled ? "proven" : await prove(context, inventory, period, block.timestamp);
  if (outcome === "waiting") return;
  // Each call moves the gap on; the next look goes on where this one stopped.
  const hasCompacted = await compactLine(context, inventory, current, outcome === "hopeless");
  if (!hasCompacted) state.keptAfter = period;
}

/** Nothing live at the close of a period: nothing is owed. */
async function isOwed({ chain, providerId }: ProviderContext, inventory: Inventory, period: number): Promise<boolean> {
  if ((await chain.proofs.lengthAt(providerId, period)) === 0n) return false;
  for (const interval of inventory.all().toReversed()) if (await inventory.isLive(interval, period)) return true;
  return false;
}

/** `hopeless`: the line has too many holes for any proof, so the period is given up to close them. */
type Outcome = "proven" | "waiting" | "hopeless";

async function prove(context: ProviderContext, inventory: Inventory, period: number, timestamp: number): Promise<Outcome> {
  const { chain, providerId, sender, metrics, log } = context;
  const { proofs } = chain;
  const [open, close] = await proofs.periodBounds(period);
  const mayCarry = timestamp - Number(close) >= CARRY_AFTER_SHARE * Number(close - open);
  const seed = await findSeed(chain, period, mayCarry);
  if (seed === undefined) return "waiting";
  // Too late to be carried: nobody owes a proof of a void period.
  if (seed.carry !== undefined && (await proofs.isVoid(period))) return "proven";
  try {
    const samples = await answerSamples(context, inventory, { seed: seed.seed, providerId, period });
    if (samples === undefined) {
      log.error("the line has too many holes to be proven; they are closed at the price of this period", { period });
      return "hopeless";
    }
    const data =
      seed.carry === undefined
        ? proofs.interface.encodeFunctionData("prove", [providerId, period, samples])
        : proofs.interface.encodeFunctionData("proveWithBeacon", [providerId, period, samples, seed.carry.round, seed.carry.signature]);
    const receipt = await sender.send(`prove/${period}`, { to: chain.book.proofs, data });
    metrics.add("ppio_proofs_total", 1);
    metrics.set("ppio_last_proven_period", period);
    log.info("period proven", { period, samples: samples.length, gas: receipt.gasUsed, hash: receipt.hash });
    return "proven";
  } catch (error) {
    metrics.add("ppio_proof_failures_total", 1);
    throw error;
  }
}

/** An answer per point that was drawn, holes included; nothing when the contract's bound on draws does not suffice. */
async function answerSamples(
  context: ProviderContext,
  inventory: Inventory,
  challenge: { readonly seed: string; readonly providerId: number; readonly period: number },
): Promise<Sample[] | undefined> {
  const { proofs } = context.chain;
  const wanted = Number(await proofs.samplesPerProof());
  const lengthGwei = await proofs.lengthAt(challenge.providerId, challenge.period);
  const { gapStartGwei, gapEndGwei } = await proofs.compactionOf(challenge.providerId);
  const samples: Sample[] = [];
  let answered = 0;
  for (let draw = 0; answered < wanted; draw += 1) {
    if (draw === DRAWS_MAX) return undefined;
    const point = challengePoint(challenge, draw, lengthGwei);
    if (gapStartGwei <= point && point < gapEndGwei) continue;
    const interval = inventory.at(point);
    if (interval === undefined)
      throw new PpioError("INTERNAL", "A challenged point belongs to no known slot; the chain is read again.", { retry: "now" });
    const place = { dealId: interval.dealId, slotIndex: interval.slotIndex };
    if (await inventory.isLive(interval, challenge.period)) {
      samples.push({
        ...place,
        proof: await proofOf(context, interval, challengeLeaf(challenge, draw, await inventory.leafCount(interval))),
      });
      answered += 1;
    } else {
      samples.push({ ...place, proof: "0x" });
    }
  }
  return samples;
}

async function proofOf(context: ProviderContext, interval: Interval, leafIndex: number): Promise<string> {
  const { store } = context;
  const uploadId = uploadIdOf(interval.dealId, interval.slotIndex);
  const found = store.find(uploadId);
  if (found === undefined) throw new PpioError("CORRUPT", "A challenged slot is not on this disk.", { details: { ...interval } });
  const row = Math.floor((leafIndex * LEAF_BYTES) / found.header.cellBytes);
  const cell = await store.readCell(uploadId, row);
  const { leaf, siblings } = buildLeafProof(found.header, await store.cellRoots(uploadId), cell, leafIndex);
  return concat([leaf, ...siblings]);
}
