/** What the parts of repair work with, beyond what every part of a provider does. */
import type { ProviderApi } from "@ppio/core";
import type { LieDesk } from "@ppio/daemon";
import type { OfferDesk } from "../api/offers.ts";
import type { ProviderContext } from "../context.ts";
import type { Pace } from "./pace.ts";
import type { RepairPayer } from "./pay.ts";

export interface RepairContext extends ProviderContext {
  /** The desk of the provider's HTTP interface: two would count on the same collateral. */
  readonly offers: OfferDesk;
  /** Another provider; what is sent and received is counted. */
  readonly api: (endpoint: string) => ProviderApi;
  /** Signed answers that contradict a slot's root, on their way to the chain. */
  readonly lies: Pick<LieDesk, "keep">;
  /** Pays for what is read of others; nothing is paid without it. */
  readonly payer?: RepairPayer;
  /** All own repairs share it. */
  readonly pace: Pace;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A provider as the registry describes it. */
export interface Peer {
  readonly providerId: number;
  readonly owner: string;
  readonly operator: string;
  readonly operatorEpoch: number;
  readonly endpoint: string;
  readonly failureDomain: string;
  readonly isEvicted: boolean;
}
