/** The verifier committee as it stands: the terms that are under way, and each provider's latest score. */
import type { ServiceScore } from "@ppio/client";
import type { AddressBook } from "@ppio/core";
import { ProviderRegistry__factory } from "@ppio/core/contracts/ProviderRegistry";
import { VerifierCommittee__factory } from "@ppio/core/contracts/VerifierCommittee";
import type { ContractRunner } from "ethers";
import { readScores } from "./scores.ts";

export interface TermStatus {
  readonly term: number;
  readonly members: readonly string[];
  readonly committed: number;
  readonly revealed: number;
  readonly scored: number;
  readonly isSettled: boolean;
}

export interface CommitteeStatus {
  readonly currentTerm: number;
  /** Verifiers from whom the running term's committee is drawn. */
  readonly listed: number;
  /** The running one, and those before it whose reports are under way. */
  readonly terms: readonly TermStatus[];
  readonly scores: readonly (ServiceScore & { readonly providerId: number })[];
}

/** Measured now, reported on now, settled now. */
const TERMS_SHOWN = 3;
/** The newest ones. */
const PROVIDERS_MAX = 500;

export async function readCommittee(book: AddressBook, runner: ContractRunner): Promise<CommitteeStatus> {
  const committee = VerifierCommittee__factory.connect(book.committee, runner);
  const currentTerm = Number(await committee.currentTerm());
  const shown = Array.from({ length: Math.min(TERMS_SHOWN, currentTerm) }, (_, back) => currentTerm - back);
  const count = Number(await ProviderRegistry__factory.connect(book.registry, runner).providerCount());
  const ids = Array.from({ length: Math.min(count, PROVIDERS_MAX) }, (_, at) => Math.max(0, count - PROVIDERS_MAX) + at + 1);
  const terms = shown.map(async (term): Promise<TermStatus> => {
    const record = await committee.termOf(term);
    const { members, settled: isSettled } = record;
    const bits = (word: bigint): number => [...word.toString(2)].filter((bit) => bit === "1").length;
    const scored = Number(record.scored);
    return { term, members: [...members], committed: bits(record.committedSeats), revealed: bits(record.revealedSeats), scored, isSettled };
  });
  const scores = await readScores(book, runner, ids);
  return {
    currentTerm,
    listed: Number(await committee.listedAt(currentTerm)),
    terms: await Promise.all(terms),
    scores: [...scores].map(([providerId, score]) => ({ providerId, ...score })),
  };
}
