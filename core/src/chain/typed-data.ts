/**
 * EIP-712 types of everything that is signed off the chain. Field order and names are the ones of
 * docs/protocol/typed-data.md; the contracts hash the same strings.
 */

import type { TypedDataDomain, TypedDataField } from "ethers";
import { AbiCoder, concat, keccak256, TypedDataEncoder, verifyTypedData } from "ethers";

export interface SigningDomain {
  readonly chainId: bigint;
  /** Address of the StorageMarket. */
  readonly market: string;
}

export interface CommitteeDomain {
  readonly chainId: bigint;
  /** Address of the VerifierCommittee. */
  readonly committee: string;
}

/** What a provider signs over a slot that it holds and has verified. */
export interface Offer {
  readonly providerId: number;
  readonly operatorEpoch: number;
  readonly owner: string;
  readonly payer: string;
  readonly dealSalt: string;
  readonly slotIndex: number;
  readonly k: number;
  readonly n: number;
  readonly headerHash: string;
  readonly root: string;
  readonly leafCount: number;
  /** Positive multiple of 1 gwei. */
  readonly payPerPeriodWei: bigint;
  /** Multiple of 1 gwei. */
  readonly collateralWei: bigint;
  readonly startBy: number;
  readonly periods: number;
  readonly renewUntil: number;
  /** Unix seconds. */
  readonly expiry: number;
}

/** An owner asks one provider to take one slot of a deal; authorises uploading it. */
export interface UploadRequest {
  readonly providerId: number;
  readonly owner: string;
  readonly payer: string;
  readonly dealSalt: string;
  readonly slotIndex: number;
  readonly k: number;
  readonly n: number;
  readonly headerHash: string;
  /** Unix seconds. */
  readonly expiry: number;
}

/** Right to read cells of a deal; issued by the deal's owner. A zero audience is a bearer ticket. */
export interface ReadTicket {
  readonly dealId: string;
  readonly firstCell: number;
  readonly cellCount: number;
  readonly audience: string;
  /** Unix seconds. */
  readonly expiry: number;
  readonly nonce: string;
}

/** What a provider signs over every answer: the cell roots it served and their way to the slot root. */
export interface ReadAnswer {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly firstCell: number;
  /** keccak256 of the cell roots followed by the siblings, 32 bytes each. */
  readonly rootsHash: string;
  /** Unix milliseconds. */
  readonly servedAt: number;
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

type Types = Record<string, TypedDataField[]>;

function struct(name: string, fields: string): Types {
  const parsed = fields.split(",").map((field) => {
    const [type = "", fieldName = ""] = field.trim().split(" ");
    return { type, name: fieldName };
  });
  return { [name]: parsed };
}

export const OFFER_TYPES = struct(
  "Offer",
  "uint32 providerId,uint32 operatorEpoch,address owner,address payer,bytes32 dealSalt,uint8 slotIndex,uint8 k,uint8 n," +
    "bytes32 headerHash,bytes32 root,uint64 leafCount,uint256 payPerPeriodWei,uint256 collateralWei,uint32 startBy," +
    "uint32 periods,uint32 renewUntil,uint64 expiry",
);
export const UPLOAD_REQUEST_TYPES = struct(
  "UploadRequest",
  "uint32 providerId,address owner,address payer,bytes32 dealSalt,uint8 slotIndex,uint8 k,uint8 n,bytes32 headerHash,uint64 expiry",
);
export const READ_TICKET_TYPES = struct(
  "ReadTicket",
  "bytes32 dealId,uint64 firstCell,uint64 cellCount,address audience,uint64 expiry,bytes32 nonce",
);
export const READ_ANSWER_TYPES = struct("ReadAnswer", "bytes32 dealId,uint8 slotIndex,uint64 firstCell,bytes32 rootsHash,uint64 servedAt");
export const OPEN_DEAL_TYPES = struct(
  "OpenDeal",
  "address owner,address payer,bytes32 dealSalt,bytes32 headerHash,bytes32 rootsHash,uint256 maxEscrowWei,uint64 deadline",
);
export const TERMINATE_DEAL_TYPES = struct("TerminateDeal", "bytes32 dealId,uint64 deadline");
export const WITHDRAW_TYPES = struct("Withdraw", "address account,address to,uint256 nonce,uint64 deadline");

export const JOIN_COMMITTEE_TYPES = struct("Join", "address verifier,uint256 amountWei,uint256 nonce,uint64 deadline");
export const COMMIT_REPORT_TYPES = struct("Commit", "address verifier,uint32 term,bytes32 commitment");

export function marketDomain(domain: SigningDomain): TypedDataDomain {
  return { name: "PPIO StorageMarket", version: "1", chainId: domain.chainId, verifyingContract: domain.market };
}

export function committeeDomain(domain: CommitteeDomain): TypedDataDomain {
  return { name: "PPIO VerifierCommittee", version: "1", chainId: domain.chainId, verifyingContract: domain.committee };
}

interface TypedSigner {
  signTypedData(domain: TypedDataDomain, types: Types, value: Record<string, unknown>): Promise<string>;
}

/** One typed message: its digest, its signature and the address that signed it. */
export interface TypedMessage<T extends object, D = SigningDomain> {
  digest(domain: D, value: T): string;
  sign(domain: D, value: T, signer: TypedSigner): Promise<string>;
  /** Recovers the signer's address; the zero-length or malformed signature recovers to nothing. */
  recover(domain: D, value: T, signature: string): string | undefined;
}

/** ethers wants an index signature, which an interface does not have. */
function fields(value: object): Record<string, unknown> {
  return { ...value };
}

function typedMessageIn<T extends object, D>(domainOf: (domain: D) => TypedDataDomain, types: Types): TypedMessage<T, D> {
  return {
    digest: (domain, value) => TypedDataEncoder.hash(domainOf(domain), types, fields(value)),
    sign: (domain, value, signer) => signer.signTypedData(domainOf(domain), types, fields(value)),
    recover: (domain, value, signature) => {
      try {
        return verifyTypedData(domainOf(domain), types, { ...value } as Record<string, unknown>, signature);
      } catch {
        return undefined;
      }
    },
  };
}

function typedMessage<T extends object>(types: Types): TypedMessage<T> {
  return typedMessageIn(marketDomain, types);
}

export const offerMessage = typedMessage<Offer>(OFFER_TYPES);
export const uploadRequestMessage = typedMessage<UploadRequest>(UPLOAD_REQUEST_TYPES);
export const readTicketMessage = typedMessage<ReadTicket>(READ_TICKET_TYPES);
export const readAnswerMessage = typedMessage<ReadAnswer>(READ_ANSWER_TYPES);
export const joinCommitteeMessage = typedMessageIn<JoinCommittee, CommitteeDomain>(committeeDomain, JOIN_COMMITTEE_TYPES);
export const commitReportMessage = typedMessageIn<CommitReport, CommitteeDomain>(committeeDomain, COMMIT_REPORT_TYPES);

/** dealId = keccak256(abi.encode(chainId, market, owner, dealSalt)): known before sealing, never reused. */
export function dealIdOf(domain: SigningDomain, owner: string, dealSalt: string): string {
  return keccak256(
    AbiCoder.defaultAbiCoder().encode(["uint256", "address", "address", "bytes32"], [domain.chainId, domain.market, owner, dealSalt]),
  );
}

/** keccak256 over 32-byte words, packed: cell roots then siblings of an answer, or the roots of a deal. */
export function hashWords(words: readonly Uint8Array[]): string {
  return keccak256(concat([...words]));
}
