/** What a provider really sent to prove a period, from calldata. */

import type { Chain } from "../chain/chain.ts";
import { queryEvents } from "../chain/events.ts";

export interface ProofSample {
  readonly dealId: string;
  readonly slotIndex: number;
  /** Leaf and siblings; empty for a hole. */
  readonly proof: string;
}

export interface ProofCall {
  readonly transactionHash: string;
  /** Nothing when the call came through another contract and cannot be read here. */
  readonly samples: readonly ProofSample[] | undefined;
}

/** Transactions that proved periods of a provider, by period. */
export async function provenPeriods(chain: Chain, providerId: number, signal?: AbortSignal): Promise<ReadonlyMap<number, string>> {
  const { proofs } = chain;
  const events = await queryEvents(chain, proofs, proofs.filters.PeriodProven(providerId), signal);
  return new Map(events.map((event) => [Number(event.args["period"]), event.transactionHash]));
}

export async function loadProofCall(
  chain: Chain,
  providerId: number,
  period: number,
  transactionHash: string,
  signal?: AbortSignal,
): Promise<ProofCall> {
  const { proofs, provider, book } = chain;
  const transaction = await chain.read("proof", () => provider.getTransaction(transactionHash), signal);
  if (transaction === null || transaction.to?.toLowerCase() !== book.proofs.toLowerCase()) return { transactionHash, samples: undefined };
  const call = proofs.interface.parseTransaction(transaction);
  if (call === null || Number(call.args[0]) !== providerId || Number(call.args[1]) !== period)
    return { transactionHash, samples: undefined };
  const samples = [...(call.args[2] as Iterable<{ dealId: string; slotIndex: bigint; proof: string }>)];
  return {
    transactionHash,
    samples: samples.map(({ dealId, slotIndex, proof }) => ({ dealId, slotIndex: Number(slotIndex), proof })),
  };
}
