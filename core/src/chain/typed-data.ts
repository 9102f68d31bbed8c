/**
 * EIP-712 types of everything that is signed off the chain. Field order and names are the ones of
 * docs/protocol/typed-data.md; the contracts hash the same strings.
 */

import type { TypedDataDomain, TypedDataField } from "ethers";
import { AbiCoder, concat, keccak256, recoverAddress, Signature, TypedDataEncoder, verifyTypedData } from "ethers";

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
export interface TypedMessage<T extends object> {
  digest(domain: SigningDomain, value: T): string;
  sign(domain: SigningDomain, value: T, signer: TypedSigner): Promise<string>;
  /** Recovers the signer's address; the zero-length or malformed signature recovers to nothing. */
  recover(domain: SigningDomain, value: T, signature: string): string | undefined;
}

/** ethers wants an index signature, which an interface does not have. */
function fields(value: object): Record<string, unknown> {
  return { ...value };
}

function typedMessage<T extends object>(types: Types): TypedMessage<T> {
  return {
    digest: (domain, value) => TypedDataEncoder.hash(marketDomain(domain), types, fields(value)),
    sign: (domain, value, signer) => signer.signTypedData(marketDomain(domain), types, fields(value)),
    recover: (domain, value, signature) => {
      try {
        return verifyTypedData(marketDomain(domain), types, { ...value } as Record<string, unknown>, signature);
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

// ---- bandwidth: the domain is the escrow's own ----

export interface EscrowDomain {
  readonly chainId: bigint;
  /** Address of the BandwidthEscrow. */
  readonly escrow: string;
}

/** What a session key signs: all that the payee has earned from the payer under this key so far. */
export interface Voucher {
  readonly payer: string;
  readonly payee: string;
  readonly cumulativeWei: bigint;
}

/** A signed voucher as `IBandwidthEscrow.redeem` takes it. */
export interface RedeemableVoucher {
  /** Payer in the upper 160 bits, cumulative wei in the lower 96. */
  readonly claim: bigint;
  readonly r: string;
  /** s with the parity of y in its top bit (ERC-2098). */
  readonly vs: string;
}

export interface AuthorizeKey {
  readonly payer: string;
  readonly key: string;
  readonly capPerPayeeWei: bigint;
  /** 2^96 - 1 for none. */
  readonly budgetWei: bigint;
  /** Unix seconds. */
  readonly expiry: number;
  readonly nonce: bigint;
  /** Unix seconds. */
  readonly deadline: number;
}

export const VOUCHER_TYPES = struct("Voucher", "address payer,address payee,uint96 cumulativeWei");
export const AUTHORIZE_KEY_TYPES = struct(
  "AuthorizeKey",
  "address payer,address key,uint96 capPerPayeeWei,uint96 budgetWei,uint40 expiry,uint256 nonce,uint64 deadline",
);
export const REVOKE_KEY_TYPES = struct("RevokeKey", "address payer,address key,uint256 nonce,uint64 deadline");
export const DEPOSIT_TYPES = struct("Deposit", "address from,address payer,uint96 reserveWei,uint96 bondWei,uint256 nonce,uint64 deadline");
export const REQUEST_WITHDRAWAL_TYPES = struct(
  "RequestWithdrawal",
  "address payer,uint96 reserveWei,uint96 bondWei,uint256 nonce,uint64 deadline",
);
export const CANCEL_WITHDRAWAL_TYPES = struct("CancelWithdrawal", "address payer,uint256 nonce,uint64 deadline");
export const COMPLETE_WITHDRAWAL_TYPES = struct("CompleteWithdrawal", "address payer,address to,uint256 nonce,uint64 deadline");

export function escrowDomain(domain: EscrowDomain): TypedDataDomain {
  return { name: "PPIO BandwidthEscrow", version: "1", chainId: domain.chainId, verifyingContract: domain.escrow };
}

/** One typed message of the escrow; as `TypedMessage`. */
export interface EscrowMessage<T extends object> {
  digest(domain: EscrowDomain, value: T): string;
  sign(domain: EscrowDomain, value: T, signer: TypedSigner): Promise<string>;
  recover(domain: EscrowDomain, value: T, signature: string): string | undefined;
}

function escrowMessage<T extends object>(types: Types): EscrowMessage<T> {
  const digest = (domain: EscrowDomain, value: T) => TypedDataEncoder.hash(escrowDomain(domain), types, fields(value));
  return {
    digest,
    sign: (domain, value, signer) => signer.signTypedData(escrowDomain(domain), types, fields(value)),
    recover: (domain, value, signature) => {
      try {
        return recoverAddress(digest(domain, value), signature);
      } catch {
        return undefined;
      }
    },
  };
}

export const voucherMessage = escrowMessage<Voucher>(VOUCHER_TYPES);
export const authorizeKeyMessage = escrowMessage<AuthorizeKey>(AUTHORIZE_KEY_TYPES);

/** Puts a voucher and its 65-byte signature into the form that the chain takes. */
export function toRedeemable(voucher: Voucher, signature: string): RedeemableVoucher {
  const { r, yParityAndS } = Signature.from(signature);
  return { claim: (BigInt(voucher.payer) << 96n) | voucher.cumulativeWei, r, vs: yParityAndS };
}

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
