/** EIP-712 messages of the bucket registry (docs/protocol/typed-data.md). */
import { AbiCoder, keccak256, type TypedDataDomain } from "ethers";
import { messageIn, struct } from "./typed-message.ts";

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
