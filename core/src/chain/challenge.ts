/**
 * Which leaves a provider must show for a period: the same arithmetic as PossessionProofs.sol, bit for bit.
 * docs/protocol/challenge.md.
 */
import { solidityPackedKeccak256 } from "ethers";

export interface ChallengeContext {
  /** The period's seed, 0x and 64 hex digits. */
  readonly seed: string;
  readonly providerId: number;
  readonly period: number;
}

/** Point of draw `draw` on a line of `lengthGwei`. */
export function challengePoint(context: ChallengeContext, draw: number, lengthGwei: bigint): bigint {
  const hash = solidityPackedKeccak256(["bytes32", "uint32", "uint32", "uint32"], [context.seed, context.providerId, context.period, draw]);
  return BigInt(hash) % lengthGwei;
}

/** Leaf index inside the slot that draw `draw` hit. */
export function challengeLeaf(context: ChallengeContext, draw: number, leafCount: number): number {
  const hash = solidityPackedKeccak256(
    ["bytes32", "uint32", "uint32", "uint32", "string"],
    [context.seed, context.providerId, context.period, draw, "leaf"],
  );
  return Number(BigInt(hash) % BigInt(leafCount));
}

/** Leaf `at` that an on-demand challenge asks for: the arithmetic of SlotChallenges.sol. `randomness` is the round's, 0x hex. */
export function challengedLeaf(
  randomness: string,
  slot: { readonly dealId: string; readonly slotIndex: number },
  at: number,
  leafCount: number,
): number {
  const values = [randomness, slot.dealId, slot.slotIndex, at, "challenge"];
  return Number(BigInt(solidityPackedKeccak256(["bytes32", "bytes32", "uint8", "uint8", "string"], values)) % BigInt(leafCount));
}
