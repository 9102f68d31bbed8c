/** EIP-712 messages of the verifier committee (docs/protocol/typed-data.md). */
import type { TypedDataDomain } from "ethers";
import { messageIn, struct } from "./typed-message.ts";

export interface CommitteeDomain {
  readonly chainId: bigint;
  /** Address of the VerifierCommittee. */
  readonly committee: string;
}

/** A verifier puts down stake; anybody may carry it. */
export interface JoinCommittee {
  readonly verifier: string;
  readonly amountWei: bigint;
  readonly nonce: bigint;
  /** Unix seconds. */
  readonly deadline: number;
}

/** A member's commitment to its report on a term. Two different ones for one term cost the whole stake. */
export interface CommitReport {
  readonly verifier: string;
  readonly term: number;
  readonly commitment: string;
}

export const JOIN_COMMITTEE_TYPES = struct("Join", "address verifier,uint256 amountWei,uint256 nonce,uint64 deadline");
export const COMMIT_REPORT_TYPES = struct("Commit", "address verifier,uint32 term,bytes32 commitment");

export function committeeDomain(domain: CommitteeDomain): TypedDataDomain {
  return { name: "PPIO VerifierCommittee", version: "1", chainId: domain.chainId, verifyingContract: domain.committee };
}

export const joinCommitteeMessage = messageIn<JoinCommittee, CommitteeDomain>(committeeDomain, JOIN_COMMITTEE_TYPES);
export const commitReportMessage = messageIn<CommitReport, CommitteeDomain>(committeeDomain, COMMIT_REPORT_TYPES);
