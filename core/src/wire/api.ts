/** JSON bodies of the provider's HTTP API (docs/protocol/http.md). Big integers travel as decimal strings. */
import type { ReadTicket, RepairTicket, UploadRequest } from "../chain/typed-data.ts";

/** GET /v1/info */
export interface ProviderInfo {
  readonly version: 1;
  readonly providerId: number;
  readonly operator: string;
  readonly operatorEpoch: number;
  readonly chainId: number;
  readonly market: string;
  readonly pricePerGibPeriodWei: string;
  /** Collateral asked per wei of pay per period: collateral = pay x this. */
  readonly collateralPeriods: number;
  readonly freeBytes: number;
  readonly maxReadBytes: number;
}

/** POST /v1/uploads: opens or finds an upload. */
export interface OpenUploadBody {
  readonly request: UploadRequest;
  readonly signature: string;
  /** The encoded deal header, 0x hex. */
  readonly header: string;
}

/** Answer to POST /v1/uploads and GET /v1/uploads/:id. */
export interface UploadState {
  readonly uploadId: string;
  readonly receivedBytes: number;
  readonly slotBytes: number;
}

/** POST /v1/uploads/:id/finish: asks for the signed offer. */
export interface FinishUploadBody {
  readonly root: string;
  readonly startBy: number;
  readonly periods: number;
  readonly renewUntil: number;
  /** For a refill: pay that the offer must carry; else the provider's price counts. */
  readonly payPerPeriodWei?: string;
  /** For a refill by a repairer: what the holder before had at risk. */
  readonly minCollateralWei?: string;
}

export interface OfferBody {
  readonly providerId: number;
  readonly operatorEpoch: number;
  readonly root: string;
  readonly leafCount: number;
  readonly payPerPeriodWei: string;
  readonly collateralWei: string;
  readonly startBy: number;
  readonly periods: number;
  readonly renewUntil: number;
  readonly expiry: number;
  readonly signature: string;
}

/** Value of the `authorization` header after "PPIO-Ticket ": base64url of this as JSON. */
export interface TicketEnvelope {
  readonly ticket: ReadTicket;
  readonly signature: string;
}

/** Value of the `authorization` header after "PPIO-Repair ": base64url of this as JSON. */
export interface RepairTicketEnvelope {
  readonly ticket: RepairTicket;
  readonly signature: string;
}

/** Every HTTP error's body; `code` is of the error family. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly details?: Readonly<Record<string, unknown>> };
}

/** Pay for a slot: price per GiB and period, by size, rounded up to the gwei that the chain counts in. */
export function payForSlot(pricePerGibPeriodWei: bigint, slotBytes: number): bigint {
  const gwei = 1_000_000_000n;
  const gib = 1n << 30n;
  const exact = pricePerGibPeriodWei * BigInt(slotBytes);
  const units = (exact + gib * gwei - 1n) / (gib * gwei);
  return (units > 0n ? units : 1n) * gwei;
}
