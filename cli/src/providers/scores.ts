/** Scores of service that the verifier committee gave. */
import type { AddressBook } from "@ppio/core";
import { VerifierCommittee__factory } from "@ppio/core/contracts";
import type { ContractRunner } from "ethers";

export interface ServiceScore {
  /** 0 (useless) to 10000 (flawless). */
  readonly score: number;
  /** Term in which it was measured. */
  readonly term: number;
}

/** By provider; one that was never scored is missing. */
export async function readScores(book: AddressBook, runner: ContractRunner, ids: readonly number[]): Promise<Map<number, ServiceScore>> {
  const committee = VerifierCommittee__factory.connect(book.committee, runner);
  const all = await Promise.all(
    ids.map(async (id) => {
      const { score, term } = await committee.scoreOf(id);
      return [id, { score: Number(score), term: Number(term) }] as const;
    }),
  );
  return new Map(all.filter(([, { term }]) => term !== 0));
}

export interface ScoreHistoryEntry extends ServiceScore {
  readonly reports: number;
}

/** All scores of a provider, oldest first. */
export async function readScoreHistory(book: AddressBook, runner: ContractRunner, providerId: number): Promise<ScoreHistoryEntry[]> {
  const committee = VerifierCommittee__factory.connect(book.committee, runner);
  const events = await committee.queryFilter(committee.filters.ProviderScored(providerId), book.fromBlock);
  return events.map(({ args }) => ({ score: Number(args.score), term: Number(args.term), reports: Number(args.reports) }));
}

export function describeScore(score: ServiceScore | undefined): string {
  return score === undefined ? "-" : `${score.score} (term ${score.term})`;
}
