/** JSON bodies of the provider's HTTP API (docs/protocol/http.md). Big integers travel as decimal strings. */
import type { DialbackRequest, HandOver, ReadTicket, RepairTicket, UploadRequest } from "../chain/typed-data.ts";
import type { ReadTermsBody } from "./payment.ts";

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
  /** 0 while no slots are taken. */
  readonly freeBytes: number;
  readonly maxReadBytes: number;
  /** What it takes; older providers do not say. */
  readonly policy?: ProviderPolicy;
  /** What reads cost; free of who does not say. */
  readonly reads?: ReadTermsBody;
}

export interface ProviderPolicy {
  readonly periodsMin: number;
  readonly periodsMax: number;
  /** Collateral of one slot, least and most; a most of 0 is no bound. */
  readonly minCollateralWei: string;
  readonly maxCollateralWei: string;
  /** How much dearer a full disk is than an empty one, in percent. */
  readonly priceRisePercent: number;
  /** Whether it takes slots from everybody whom it does not refuse by name. */
  readonly isOpenToAll: boolean;
  /** Why it takes nothing at the moment; empty when it does. */
  readonly hindrances: readonly string[];
}

/** POST /v1/uploads: opens or finds an upload. */
export interface OpenUploadBody {
  readonly request: UploadRequest;
  readonly signature: string;
  /** The encoded deal header, 0x hex. */
  readonly header: string;
}

/** Answer to POST /v1/uploads and GET /v1/uploads/:id; a line of it for every step of a body that is told of in steps. */
export interface UploadState {
  readonly uploadId: string;
  readonly receivedBytes: number;
  readonly slotBytes: number;
  /** Longest step (`UPLOAD_STEP_BYTES_MIN` is the shortest); older providers do not tell of steps, and do not say. */
  readonly stepBytesMax?: number;
}

export const UPLOAD_STEP_BYTES_MIN = 4096;

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

/** POST /v1/handovers: asks another provider to take a slot that the chain says is the sender's. */
export interface HandOverBody {
  readonly request: HandOver;
  /** By the operator of `fromProviderId`. */
  readonly signature: string;
  /** The deal's salt, which its id is made of. */
  readonly dealSalt: string;
}

/** POST /v1/handovers/:id/finish: asks for the offer that the chain takes; pay, root and end are the deal's. */
export interface FinishHandOverBody extends HandOverBody {
  readonly startBy: number;
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

/** POST /v1/dialback: asks this provider to connect to the asking one's endpoint. */
export interface DialbackBody {
  readonly request: DialbackRequest;
  readonly signature: string;
}

/** GET /v1/dialback/:nonce: the signed `DialbackAnswer`. */
export interface DialbackEcho {
  readonly providerId: number;
  readonly nonce: string;
  readonly signature: string;
}

/**
 * How a connection to an endpoint went. `reached`: the right daemon answered; `stranger`: something else did; `forbidden`: no endpoint that
 * one connects to for others (an address that is not public, a port of another service); the rest is where it ended.
 */
export type DialOutcome = "reached" | "stranger" | "forbidden" | "unresolved" | "refused" | "silent" | "tls" | "broken";

/** Answer to POST /v1/dialback. */
export interface DialbackReport {
  /** As the chain names it. */
  readonly endpoint: string;
  readonly outcome: DialOutcome;
  /** What the endpoint's name led to. */
  readonly address?: string;
  /** For `tls`: the code of what is wrong with the certificate. */
  readonly reason?: string;
  /** The daemon's signature, for `reached`: the helper cannot make it up. */
  readonly echo?: string;
  /** Where the request came from. */
  readonly seenAs: string;
  /** The helper's clock, Unix milliseconds. */
  readonly time: number;
}

/** Every HTTP error's body; `code` is of the error family. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly details?: Readonly<Record<string, unknown>> };
}

/** What the chain counts amounts of a slot in, in wei. */
export const GWEI = 1_000_000_000n;

/** Pay for a slot: price per GiB and period, by size, rounded up to whole gwei. */
export function payForSlot(pricePerGibPeriodWei: bigint, slotBytes: number): bigint {
  const gib = 1n << 30n;
  const exact = pricePerGibPeriodWei * BigInt(slotBytes);
  const units = (exact + gib * GWEI - 1n) / (gib * GWEI);
  return (units > 0n ? units : 1n) * GWEI;
}
