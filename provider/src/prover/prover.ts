/**
 * Proves every period by itself: as soon as the seed is out, draws the points, reads the leaves, sends one transaction. A slot whose bytes
 * are damaged cannot be answered for; that period is then lost and said so.
 */

import { buildLeafProof, challengeLeaf, challengePoint, LEAF_BYTES, PpioError } from "@ppio/core";
import { concat } from "ethers";
import type { ProviderContext } from "../context.ts";
import { uploadIdOf } from "../store/slot-record.ts";
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

/** Proves the period that has just closed, if it is owed and possible now. True when it is proven. */
export async function proveDuePeriod(context: ProviderContext, inventory: Inventory): Promise<boolean> {
  const { chain, providerId, sender, metrics, log } = context;
  const { proofs } = chain;
  const block = await chain.rpc.getBlock("latest");
  if (block === null) return false;
  const period = Number(await proofs.periodOf(block.timestamp)) - 1;
  if (period < 1 || (await proofs.isProven(providerId, period))) return true;
  const lengthGwei = await proofs.lengthAt(providerId, period);
  if (lengthGwei === 0n) return true;

  await inventory.refresh();
  if (!(await anyLive(context, inventory, period))) return true;
  const seed = await findSeed(chain, period);
  if (seed === undefined) return false;
  const [, close] = await proofs.periodBounds(period);
  const waited = block.timestamp - Number(close);
  if (seed.carry !== undefined && waited < CARRY_AFTER_SHARE * Number(await proofs.periodSeconds())) return false;

  try {
    const samples = await answerSamples(context, inventory, { seed: seed.seed, providerId, period }, lengthGwei);
    const data =
      seed.carry === undefined
        ? proofs.interface.encodeFunctionData("prove", [providerId, period, samples])
        : proofs.interface.encodeFunctionData("proveWithBeacon", [providerId, period, samples, seed.carry.round, seed.carry.signature]);
    const receipt = await sender.send(`prove/${period}`, { to: chain.book.proofs, data });
    metrics.add("ppio_proofs_total", 1);
    metrics.set("ppio_last_proven_period", period);
    log.info("period proven", { period, samples: samples.length, gas: receipt.gasUsed, hash: receipt.hash });
    return true;
  } catch (error) {
    metrics.add("ppio_proof_failures_total", 1);
    throw error;
  }
}

async function anyLive(context: ProviderContext, inventory: Inventory, period: number): Promise<boolean> {
  for (const interval of [...inventory.all()].reverse()) if (await isLive(context, interval, period)) return true;
  return false;
}

async function isLive(context: ProviderContext, interval: Interval, period: number): Promise<boolean> {
  const slot = await context.chain.market.slotForProof(interval.dealId, interval.slotIndex);
  const [, holder, , , , from, until] = slot;
  return Number(holder) === context.providerId && Number(from) <= period && period < Number(until);
}

async function answerSamples(
  context: ProviderContext,
  inventory: Inventory,
  challenge: { readonly seed: string; readonly providerId: number; readonly period: number },
  lengthGwei: bigint,
): Promise<Sample[]> {
  const wanted = Number(await context.chain.proofs.samplesPerProof());
  const samples: Sample[] = [];
  let answered = 0;
  for (let draw = 0; answered < wanted; draw += 1) {
    if (draw === DRAWS_MAX) throw new PpioError("INTERNAL", "The line is nearly all holes; no proof fits the contract's bound.");
    const interval = inventory.at(challengePoint(challenge, draw, lengthGwei));
    if (interval === undefined)
      throw new PpioError("INTERNAL", "A challenged point belongs to no known slot; the chain is read again.", { retry: "now" });
    const place = { dealId: interval.dealId, slotIndex: interval.slotIndex };
    if (await isLive(context, interval, challenge.period)) {
      samples.push({ ...place, proof: await proofOf(context, interval, challengeLeaf(challenge, draw, interval.leafCount)) });
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
