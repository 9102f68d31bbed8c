/** EIP-712 messages of the bandwidth escrow: vouchers, session keys, and what payers sign (docs/protocol/typed-data.md). */
import { Signature, type TypedDataDomain } from "ethers";
import { messageIn, struct } from "./typed-message.ts";

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

export const voucherMessage = messageIn<Voucher, EscrowDomain>(escrowDomain, VOUCHER_TYPES);
export const authorizeKeyMessage = messageIn<AuthorizeKey, EscrowDomain>(escrowDomain, AUTHORIZE_KEY_TYPES);

/** Puts a voucher and its 65-byte signature into the form that the chain takes. */
export function toRedeemable(voucher: Voucher, signature: string): RedeemableVoucher {
  const { r, yParityAndS } = Signature.from(signature);
  return { claim: (BigInt(voucher.payer) << 96n) | voucher.cumulativeWei, r, vs: yParityAndS };
}
