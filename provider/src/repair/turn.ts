/**
 * Whose turn it is. Every provider waits, after it saw a vacancy, for a time of its own that all can compute: what hashes low goes first. So
 * they do not all reserve at once, and one that cannot or will not is followed by the next; who was first, the chain decides.
 */
import { turnShare } from "@ppio/daemon";
import { solidityPackedKeccak256 } from "ethers";

/** What a turn takes: a transaction and some lag between nodes. */
const TURN_MS = 1_000;
/** However many providers there are, all have had their turn within this share of a period. */
const PERIOD_SHARE_MAX = 0.25;

export interface Turn {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly providerId: number;
  /** In which the vacancy was seen, or tried again: another one has another order. */
  readonly period: number;
}

/** Milliseconds to wait. */
export function turnDelayMs(turn: Turn, providers: number, periodSeconds: number): number {
  const types = ["bytes32", "uint8", "uint32", "uint32"];
  const share = turnShare(solidityPackedKeccak256(types, [turn.dealId, turn.slotIndex, turn.providerId, turn.period]));
  return share * Math.min(TURN_MS * providers, periodSeconds * 1000 * PERIOD_SHARE_MAX);
}
