/**
 * EIP-712 messages of the market: offers, uploads, tickets, answers, and what owners sign. Field order and names are the ones of
 * docs/protocol/typed-data.md; the contracts hash the same strings.
 */

import { AbiCoder, keccak256, type TypedDataDomain } from "ethers";
import { messageIn, struct, type TypedMessage, type Types } from "./typed-message.ts";

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

/** Asks one provider to take one slot of a deal; authorises uploading it. Signed by the owner, or by who holds the slot's reservation. */
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

/** A slot's holder asks another provider to take it over; authorises uploading it. Signed by the holder's operator. */
export interface HandOver {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly fromProviderId: number;
  readonly toProviderId: number;
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

/** Right of a repairer to read from one provider; signed by who holds the reservation of a slot of the deal. */
export interface RepairTicket {
  /** The provider that shall serve: no other one can use the ticket at its peers. */
  readonly providerId: number;
  readonly dealId: string;
  /** The slot that is reserved. */
  readonly slotIndex: number;
  /** Unix seconds. */
  readonly expiry: number;
}

/** Asks one provider to connect back to the endpoint that the chain names for the asking one; signed by the asking one's operator. */
export interface DialbackRequest {
  readonly providerId: number;
  /** The provider that shall connect: no other one can be made to by the same request. */
  readonly helperId: number;
  /** New for every request. */
  readonly nonce: string;
  /** Unix seconds. */
  readonly expiry: number;
}

/** What a daemon shows to whoever connects and names a nonce: that it is this provider's. Signed by its operator. */
export interface DialbackAnswer {
  readonly providerId: number;
  readonly nonce: string;
}

/** What a provider signs over every answer: the cell roots it served and their way to the slot root. */
export interface ReadAnswer {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly firstCell: number;
  /** `answerRootsHash`. */
  readonly rootsHash: string;
  /** Unix milliseconds. */
  readonly servedAt: number;
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
export const HAND_OVER_TYPES = struct("HandOver", "bytes32 dealId,uint8 slotIndex,uint32 fromProviderId,uint32 toProviderId,uint64 expiry");
export const READ_TICKET_TYPES = struct(
  "ReadTicket",
  "bytes32 dealId,uint64 firstCell,uint64 cellCount,address audience,uint64 expiry,bytes32 nonce",
);
export const REPAIR_TICKET_TYPES = struct("RepairTicket", "uint32 providerId,bytes32 dealId,uint8 slotIndex,uint64 expiry");
export const DIALBACK_REQUEST_TYPES = struct("DialbackRequest", "uint32 providerId,uint32 helperId,bytes32 nonce,uint64 expiry");
export const DIALBACK_ANSWER_TYPES = struct("DialbackAnswer", "uint32 providerId,bytes32 nonce");
export const READ_ANSWER_TYPES = struct("ReadAnswer", "bytes32 dealId,uint8 slotIndex,uint64 firstCell,bytes32 rootsHash,uint64 servedAt");
export const OPEN_DEAL_TYPES = struct(
  "OpenDeal",
  "address owner,address payer,bytes32 dealSalt,bytes32 headerHash,bytes32 rootsHash,uint256 maxEscrowWei,uint64 deadline",
);
export const TERMINATE_DEAL_TYPES = struct("TerminateDeal", "bytes32 dealId,uint64 deadline");
export const REFILL_SLOT_TYPES = struct(
  "RefillSlot",
  "bytes32 dealId,uint8 slotIndex,uint32 vacantFrom,uint32 providerId,uint256 collateralWei,uint64 deadline",
);
export const RENEW_DEAL_TYPES = struct("RenewDeal", "bytes32 dealId,uint32 newEnd,uint64 deadline");
export const WITHDRAW_TYPES = struct("Withdraw", "address account,address to,uint256 nonce,uint64 deadline");

export function marketDomain(domain: SigningDomain): TypedDataDomain {
  return { name: "PPIO StorageMarket", version: "1", chainId: domain.chainId, verifyingContract: domain.market };
}

function typedMessage<T extends object>(types: Types): TypedMessage<T, SigningDomain> {
  return messageIn<T, SigningDomain>(marketDomain, types);
}

export const offerMessage = typedMessage<Offer>(OFFER_TYPES);
export const uploadRequestMessage = typedMessage<UploadRequest>(UPLOAD_REQUEST_TYPES);
export const handOverMessage = typedMessage<HandOver>(HAND_OVER_TYPES);
export const readTicketMessage = typedMessage<ReadTicket>(READ_TICKET_TYPES);
export const repairTicketMessage = typedMessage<RepairTicket>(REPAIR_TICKET_TYPES);
export const dialbackRequestMessage = typedMessage<DialbackRequest>(DIALBACK_REQUEST_TYPES);
export const dialbackAnswerMessage = typedMessage<DialbackAnswer>(DIALBACK_ANSWER_TYPES);
export const readAnswerMessage = typedMessage<ReadAnswer>(READ_ANSWER_TYPES);

/** dealId = keccak256(abi.encode(chainId, market, owner, dealSalt)): known before sealing, never reused. */
export function dealIdOf(domain: SigningDomain, owner: string, dealSalt: string): string {
  return keccak256(
    AbiCoder.defaultAbiCoder().encode(["uint256", "address", "address", "bytes32"], [domain.chainId, domain.market, owner, dealSalt]),
  );
}

const COUNT_BYTES = 4;
const WORD_BYTES = 32;

/** What a `ReadAnswer` signs: keccak256 of the number of cells (4 bytes), the cell roots, then the siblings. */
export function answerRootsHash(cellRoots: readonly Uint8Array[], siblings: readonly Uint8Array[]): string {
  // With the number of cells, so that nobody can read roots as siblings and make a lie of an honest answer.
  const words = [...cellRoots, ...siblings];
  const bytes = new Uint8Array(COUNT_BYTES + WORD_BYTES * words.length);
  new DataView(bytes.buffer).setUint32(0, cellRoots.length);
  words.forEach((word, index) => {
    bytes.set(word, COUNT_BYTES + WORD_BYTES * index);
  });
  return keccak256(bytes);
}
