/**
 * EIP-712 types of everything that is signed off the chain. Field order and names are the ones of
 * docs/protocol/typed-data.md; the contracts hash the same strings.
 */

import type { TypedDataDomain, TypedDataField } from "ethers";
import { AbiCoder, concat, keccak256, TypedDataEncoder, toBeHex, verifyTypedData } from "ethers";

export interface SigningDomain {
  readonly chainId: bigint;
  /** Address of the StorageMarket. */
  readonly market: string;
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

export function marketDomain(domain: SigningDomain): TypedDataDomain {
  return { name: "PPIO StorageMarket", version: "1", chainId: domain.chainId, verifyingContract: domain.market };
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

function typedMessage<T extends object>(types: Types): TypedMessage<T> {
  return messageIn<T, SigningDomain>(marketDomain, types);
}

function messageIn<T extends object, D>(domainOf: (domain: D) => TypedDataDomain, types: Types): TypedMessage<T, D> {
  return {
    digest: (domain, value) => TypedDataEncoder.hash(domainOf(domain), types, fields(value)),
    sign: (domain, value, signer) => signer.signTypedData(domainOf(domain), types, fields(value)),
    recover: (domain, value, signature) => {
      try {
        return verifyTypedData(domainOf(domain), types, fields(value), signature);
      } catch {
        return undefined;
      }
    },
  };
}

export const offerMessage = typedMessage<Offer>(OFFER_TYPES);
export const uploadRequestMessage = typedMessage<UploadRequest>(UPLOAD_REQUEST_TYPES);
export const readTicketMessage = typedMessage<ReadTicket>(READ_TICKET_TYPES);
export const readAnswerMessage = typedMessage<ReadAnswer>(READ_ANSWER_TYPES);

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

// ---- bucket registry ----

export interface BucketDomain {
  readonly chainId: bigint;
  /** Address of the BucketRegistry. */
  readonly bucketRegistry: string;
}

/** Which bytes of which deal are a sealed listing; `hash` is the first 16 bytes of its SHA-256. */
interface ListingFields {
  readonly dealId: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly hash: string;
  /** Unix seconds. */
  readonly deadline: number;
}

/** Signed by the creator: anybody may create this bucket of mine. */
export interface CreateBucket extends ListingFields {
  readonly creator: string;
  readonly bucketId: string;
}

/** Signed by the owner or a writer: anybody may put this listing in the place of the head that I read. */
export interface MoveHead extends ListingFields {
  readonly bucketKey: string;
  readonly mover: string;
  readonly expectedSeq: number;
  readonly expectedHash: string;
}

const LISTING_FIELDS = "bytes32 dealId,uint64 offsetBytes,uint32 lengthBytes,bytes16 hash,uint64 deadline";
export const CREATE_BUCKET_TYPES = struct("CreateBucket", `address creator,bytes32 bucketId,${LISTING_FIELDS}`);
export const MOVE_HEAD_TYPES = struct(
  "MoveHead",
  `bytes32 bucketKey,address mover,uint64 expectedSeq,bytes16 expectedHash,${LISTING_FIELDS}`,
);
export const SET_WRITER_TYPES = struct("SetWriter", "bytes32 bucketKey,address writer,bool allowed,uint256 nonce,uint64 deadline");
export const CLEAR_WRITERS_TYPES = struct("ClearWriters", "bytes32 bucketKey,uint256 nonce,uint64 deadline");
export const OFFER_OWNERSHIP_TYPES = struct("OfferOwnership", "bytes32 bucketKey,address to,uint256 nonce,uint64 deadline");
export const ACCEPT_OWNERSHIP_TYPES = struct("AcceptOwnership", "bytes32 bucketKey,uint256 nonce,uint64 deadline");
export const REVOKE_TICKETS_TYPES = struct("RevokeTickets", "address issuer,bytes32[] ticketIds,uint256 nonce,uint64 deadline");
export const REVOKE_TICKETS_BEFORE_TYPES = struct(
  "RevokeTicketsBefore",
  "address issuer,uint64 issuedBefore,uint256 nonce,uint64 deadline",
);

export function bucketDomain(domain: BucketDomain): TypedDataDomain {
  return { name: "PPIO BucketRegistry", version: "1", chainId: domain.chainId, verifyingContract: domain.bucketRegistry };
}

export const createBucketMessage = messageIn<CreateBucket, BucketDomain>(bucketDomain, CREATE_BUCKET_TYPES);
export const moveHeadMessage = messageIn<MoveHead, BucketDomain>(bucketDomain, MOVE_HEAD_TYPES);

/** Where the registry keeps a bucket: keccak256(abi.encode(creator, bucketId)). */
export function bucketKeyOf(creator: string, bucketId: string): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode(["address", "bytes32"], [creator, bucketId]));
}

// ---- sponsor pools ----

export interface SponsorDomain {
  readonly chainId: bigint;
  /** Address of the developer's SponsorPool. */
  readonly pool: string;
}

/** Signed by the developer's hot key: the pool pays for this one deal of this user, within these bounds. */
export interface Sponsorship {
  readonly dealId: string;
  readonly user: string;
  /** keccak256 of the providers' ids in the order of the slots, 32 bytes each; 32 zero bytes for any providers. */
  readonly providersHash: string;
  /** Least leaves of every slot. */
  readonly leafCountMin: number;
  readonly payPerPeriodMaxWei: bigint;
  readonly periodsMax: number;
  readonly escrowMaxWei: bigint;
  /** Unix seconds. */
  readonly deadline: number;
}

/** Signed by the developer's hot key: the pool pays for this deal up to this period. */
export interface SponsoredRenewal {
  readonly dealId: string;
  readonly newEnd: number;
  readonly escrowMaxWei: bigint;
  /** Unix seconds. */
  readonly deadline: number;
}

export const SPONSORSHIP_TYPES = struct(
  "Sponsorship",
  "bytes32 dealId,address user,bytes32 providersHash,uint64 leafCountMin,uint256 payPerPeriodMaxWei,uint32 periodsMax," +
    "uint256 escrowMaxWei,uint64 deadline",
);
export const SPONSORED_RENEWAL_TYPES = struct("SponsoredRenewal", "bytes32 dealId,uint32 newEnd,uint256 escrowMaxWei,uint64 deadline");

export function sponsorDomain(domain: SponsorDomain): TypedDataDomain {
  return { name: "PPIO SponsorPool", version: "1", chainId: domain.chainId, verifyingContract: domain.pool };
}

export const sponsorshipMessage = messageIn<Sponsorship, SponsorDomain>(sponsorDomain, SPONSORSHIP_TYPES);
export const sponsoredRenewalMessage = messageIn<SponsoredRenewal, SponsorDomain>(sponsorDomain, SPONSORED_RENEWAL_TYPES);

/** What a sponsorship names its providers by. */
export function providersHashOf(providerIds: readonly number[]): string {
  return keccak256(concat(providerIds.map((providerId) => toBeHex(providerId, 32))));
}
