/**
 * What a verifier computes as VerifierCommittee.sol does, bit for bit: the committee of a term, a report's bytes and its commitment, the
 * median. docs/protocol/verifiers.md.
 */
import { AbiCoder, concat, dataLength, dataSlice, keccak256, solidityPackedKeccak256, toBeHex } from "ethers";
import { PpioError } from "../errors.ts";
import type { CommitteeDomain } from "./committee-messages.ts";

/** Entries of a report. */
export const REPORT_ENTRIES_MAX = 512;
/** Best score. */
export const SCORE_MAX = 10_000;
const ENTRY_BYTES = 6;
const PROVIDER_ID_MAX = 2 ** 32 - 1;

export interface ReportEntry {
  readonly providerId: number;
  /** 0 (useless) to 10000 (flawless). */
  readonly score: number;
}

export interface SortitionContext {
  /** Seed of the last period before the term, 0x and 64 hex digits. */
  readonly seed: string;
  /** Address of the VerifierCommittee. */
  readonly committee: string;
  readonly term: number;
}

/** Places of a list of `listed` entries that are drawn for `seats` seats, by seat; all distinct. */
export function drawCommittee(context: SortitionContext, listed: number, seats: number): number[] {
  if (seats > listed) throw new PpioError("BAD_FORMAT", `${seats} seats cannot be drawn from ${listed} verifiers.`);
  const moved = new Map<number, number>();
  return Array.from({ length: seats }, (_, draw) => {
    const hash = solidityPackedKeccak256(["bytes32", "address", "uint32", "uint32"], [context.seed, context.committee, context.term, draw]);
    const place = draw + Number(BigInt(hash) % BigInt(listed - draw));
    const drawn = moved.get(place) ?? place;
    moved.set(place, moved.get(draw) ?? draw);
    return drawn;
  });
}

/**
 * Providers that a member measures for a term, ascending: all of them up to `REPORT_ENTRIES_MAX`, else that many in a row from a place
 * that the seed decides, past the last id on from 1.
 */
export function measuredProviders(seed: string, providerCount: number): number[] {
  const count = Math.min(providerCount, REPORT_ENTRIES_MAX);
  const first = providerCount === 0 ? 0 : Number(BigInt(seed) % BigInt(providerCount));
  return Array.from({ length: count }, (_, at) => ((first + at) % providerCount) + 1).sort((a, b) => a - b);
}

/** A report's bytes, 6 for each entry. @throws BAD_FORMAT for what the contract refuses */
export function encodeReport(entries: readonly ReportEntry[]): string {
  requireEntries(entries);
  return concat(entries.flatMap(({ providerId, score }) => [toBeHex(providerId, 4), toBeHex(score, 2)]));
}

/** The entries of a report. @throws BAD_FORMAT for what the contract refuses */
export function decodeReport(report: string): ReportEntry[] {
  const length = dataLength(report);
  if (length % ENTRY_BYTES !== 0) throw new PpioError("BAD_FORMAT", `A report of ${length} bytes does not consist of whole entries.`);
  const entries = Array.from({ length: length / ENTRY_BYTES }, (_, at) => ({
    providerId: Number(dataSlice(report, at * ENTRY_BYTES, at * ENTRY_BYTES + 4)),
    score: Number(dataSlice(report, at * ENTRY_BYTES + 4, (at + 1) * ENTRY_BYTES)),
  }));
  requireEntries(entries);
  return entries;
}

/** What a member commits to. `salt`: 32 random bytes, secret until the reveal; `report`: of `encodeReport`. */
export function reportCommitment(domain: CommitteeDomain, verifier: string, term: number, salt: string, report: string): string {
  return keccak256(
    AbiCoder.defaultAbiCoder().encode(
      ["uint256", "address", "address", "uint32", "bytes32", "bytes32"],
      [domain.chainId, domain.committee, verifier, term, salt, keccak256(report)],
    ),
  );
}

/** The score that revealed scores make, or nothing without the quorum of two thirds of the seats. */
export function medianScore(scores: readonly number[], seats: number): number | undefined {
  if (scores.length === 0 || scores.length * 3 < seats * 2) return undefined;
  const ascending = [...scores].sort((a, b) => a - b);
  const half = Math.floor(ascending.length / 2);
  const upper = ascending[half] ?? 0;
  return ascending.length % 2 === 1 ? upper : Math.floor(((ascending[half - 1] ?? 0) + upper) / 2);
}

function requireEntries(entries: readonly ReportEntry[]): void {
  if (entries.length > REPORT_ENTRIES_MAX) {
    throw new PpioError("BAD_FORMAT", `A report has at most ${REPORT_ENTRIES_MAX} entries, not ${entries.length}.`);
  }
  let previous = 0;
  for (const { providerId, score } of entries) {
    if (!Number.isInteger(providerId) || providerId <= previous || providerId > PROVIDER_ID_MAX) {
      throw new PpioError("BAD_FORMAT", `Provider ${providerId} may not follow ${previous} in a report.`);
    }
    if (!Number.isInteger(score) || score < 0 || score > SCORE_MAX) {
      throw new PpioError("BAD_FORMAT", `A score is 0 to ${SCORE_MAX}, not ${score}.`);
    }
    previous = providerId;
  }
}
