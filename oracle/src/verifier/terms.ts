/** Where the committee stands: terms, windows, who sits. Read anew in every turn; nothing of it is remembered. */
import type { VerifierContext } from "./context.ts";

export interface TermView {
  readonly term: number;
  /** Of the committee's members; empty while it is not drawn. */
  readonly members: readonly string[];
  /** This verifier's seat, or -1. */
  readonly seat: number;
  readonly hasCommitted: boolean;
  readonly hasRevealed: boolean;
  readonly isSettled: boolean;
  /** First periods of: term, its commit window, its reveal window, its finalisation, its settlement. */
  readonly openPeriod: number;
  readonly commitPeriod: number;
  readonly revealPeriod: number;
  readonly finalisePeriod: number;
  readonly settlePeriod: number;
}

export async function viewTerm({ committee, address }: VerifierContext, term: number): Promise<TermView> {
  const [windows, record] = await Promise.all([committee.windowsOf(term), committee.termOf(term)]);
  const seat = record.members.indexOf(address);
  const has = (bits: bigint): boolean => seat >= 0 && ((Number(bits) >> seat) & 1) === 1;
  return {
    ...{ term, members: record.members, seat, hasCommitted: has(record.committedSeats), hasRevealed: has(record.revealedSeats) },
    isSettled: record.settled,
    openPeriod: Number(windows.openPeriod),
    commitPeriod: Number(windows.commitPeriod),
    revealPeriod: Number(windows.revealPeriod),
    finalisePeriod: Number(windows.finalisePeriod),
    settlePeriod: Number(windows.settlePeriod),
  };
}

/** The seed of a term, and whether this verifier sits in it; nothing before the seed is there, or with too few verifiers. */
export async function membershipOf(
  { chain, committee, address }: VerifierContext,
  { term, openPeriod }: TermView,
): Promise<{ readonly seed: string; readonly isMember: boolean } | undefined> {
  try {
    const seed = await chain.proofs.seedOf(openPeriod - 1);
    const members = await committee.previewCommittee(term);
    return { seed, isMember: members.includes(address) };
  } catch (error) {
    if (isRevert(error)) return undefined;
    throw error;
  }
}

function isRevert(error: unknown): boolean {
  return error instanceof Error && (error as { readonly code?: unknown }).code === "CALL_EXCEPTION";
}
