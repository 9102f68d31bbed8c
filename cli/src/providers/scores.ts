/** Scores of service that the verifier committee gave. */
import type { ServiceScore } from "@ppio/client";
import type { AddressBook } from "@ppio/core";
import { VerifierCommittee__factory } from "@ppio/core/contracts/VerifierCommittee";
import type { ContractRunner } from "ethers";

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

export function describeScore(score: ServiceScore | undefined): string {
  return score === undefined ? "-" : `${score.score} (term ${score.term})`;
}
