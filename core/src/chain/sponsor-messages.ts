/** EIP-712 messages of sponsor pools (docs/protocol/typed-data.md). */
import { concat, keccak256, type TypedDataDomain, toBeHex } from "ethers";
import { messageIn, struct } from "./typed-message.ts";

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
