/** The answers to a period's draws (docs/protocol/challenge.md): a leaf each, an empty one for holes, and for slots that are damaged. */
import { challengeLeaf, challengePoint, isPpioError, PpioError } from "@ppio/core";
import type { ProviderContext } from "../context.ts";
import { isHeld } from "../slot-status.ts";
import { uploadIdOf } from "../store/slot-record.ts";
import type { Interval, Inventory } from "./inventory.ts";
import { leafProof } from "./leaf-proof.ts";

/** The contract's own bound on points, holes included. */
const DRAWS_MAX = 256;
const EMPTY = "0x";

export interface Sample {
  readonly dealId: string;
  readonly slotIndex: number;
  /** 0x hex. */
  readonly proof: string;
}

export interface Answer {
  /** One per point that was drawn outside the gap of a compaction. */
  readonly samples: readonly Sample[];
  /** Slots that it names lost. */
  readonly lost: readonly Interval[];
  /** The contract's bound on draws does not suffice: there is no proof. */
  readonly isIncomplete: boolean;
}

/** @throws CORRUPT when a drawn slot is damaged and may not be given up, IO when the disk fails */
export async function answerSamples(
  context: ProviderContext,
  inventory: Inventory,
  challenge: { readonly seed: string; readonly providerId: number; readonly period: number },
): Promise<Answer> {
  const { proofs } = context.chain;
  const wanted = Number(await proofs.samplesPerProof());
  const lengthGwei = await proofs.lengthAt(challenge.providerId, challenge.period);
  const { gapStartGwei, gapEndGwei } = await proofs.compactionOf(challenge.providerId);
  const samples: Sample[] = [];
  const lost = new Set<Interval>();
  let answered = 0;
  for (let draw = 0; answered < wanted; draw += 1) {
    if (draw === DRAWS_MAX) return { samples, lost: [...lost], isIncomplete: true };
    const point = challengePoint(challenge, draw, lengthGwei);
    if (gapStartGwei <= point && point < gapEndGwei) continue;
    const interval = inventory.at(point);
    if (interval === undefined)
      throw new PpioError("INTERNAL", "A challenged point belongs to no known slot; the chain is read again.", { retry: "now" });
    const { dealId, slotIndex } = interval;
    // A slot that was named lost once is a hole for the draws that follow.
    const isLive = !lost.has(interval) && (await inventory.isLive(interval, challenge.period));
    const leaf = isLive ? challengeLeaf(challenge, draw, await inventory.leafCount(interval)) : 0;
    const proof = isLive ? await proofOrLoss(context, interval, leaf) : EMPTY;
    if (isLive && proof === EMPTY) lost.add(interval);
    if (proof !== EMPTY) answered += 1;
    samples.push({ dealId, slotIndex, proof });
  }
  return { samples, lost: [...lost], isIncomplete: false };
}

/** The leaf's proof; empty for a slot whose bytes are damaged for certain: half of its collateral is cheaper than the whole period. */
async function proofOrLoss({ store, damage, chain, providerId }: ProviderContext, interval: Interval, leaf: number): Promise<string> {
  const { dealId, slotIndex } = interval;
  try {
    return await leafProof(store, dealId, slotIndex, leaf);
  } catch (error) {
    if (!isPpioError(error, "CORRUPT")) throw error;
    const uploadId = uploadIdOf(dealId, slotIndex);
    damage.suspect(uploadId);
    const verdict = await damage.confirm(uploadId);
    if (verdict === "whole") return leafProof(store, dealId, slotIndex, leaf);
    const { status, providerId: holder } = await chain.market.slot(dealId, slotIndex);
    // Given up or handed over since then: nobody can name it any more.
    const isNameable = verdict === "damaged" && !damage.isHeldBack && isHeld(status) && Number(holder) === providerId;
    if (!isNameable) throw error;
    return EMPTY;
  }
}
