/** What the parts of a provider work with; passed in, never reached for. */
import type { SigningDomain } from "@ppio/core";
import type { ChainConnection, Logger, TxSender } from "@ppio/daemon";
import type { Wallet } from "ethers";
import type { Alerts } from "./alerts/alerts.ts";
import type { DamageDesk } from "./damage/damage-desk.ts";
import type { ProviderMetrics } from "./metrics.ts";
import type { ProviderConfig } from "./options.ts";
import type { Admission } from "./policy/admission.ts";
import type { Bandwidth } from "./policy/bandwidth.ts";
import type { Pricing } from "./policy/pricing.ts";
import type { ReservedUploads } from "./repair/reserved-uploads.ts";
import type { SlotStore } from "./store/slot-store.ts";

export interface ProviderContext {
  readonly config: ProviderConfig;
  readonly chain: ChainConnection;
  readonly domain: SigningDomain;
  readonly operator: Wallet;
  readonly providerId: number;
  readonly operatorEpoch: number;
  readonly store: SlotStore;
  readonly sender: Pick<TxSender, "send">;
  readonly damage: DamageDesk;
  readonly alerts: Alerts;
  readonly admission: Admission;
  readonly pricing: Pricing;
  readonly bandwidth: Bandwidth;
  readonly reserved: ReservedUploads;
  readonly metrics: ProviderMetrics;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}
