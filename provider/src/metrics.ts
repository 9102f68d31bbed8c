/** What a provider counts. */
import { createMetrics, type Metrics } from "@ppio/daemon";

const HELP = {
  ppio_uploaded_bytes_total: "Bytes taken in",
  ppio_served_bytes_total: "Bytes of cells sent out",
  ppio_offers_total: "Offers signed",
  ppio_proofs_total: "Periods proven",
  ppio_proof_failures_total: "Periods that could not be proven on an attempt",
  ppio_missed_periods_total: "Periods that were owed and not proven while this process ran",
  ppio_corrupt_cells_total: "Cells found damaged on disk",
  ppio_scrubbed_bytes_total: "Bytes of slots read again and found whole",
  ppio_scrubs_total: "Times that the scrub came to its end",
  ppio_damage_found_total: "Slots in which damage was found, by whatever reader",
  ppio_declared_slots_total: "Damaged slots that were given up before they were drawn",
  ppio_named_lost_total: "Damaged slots that were given up when they were drawn",
  ppio_handed_over_slots_total: "Slots that were handed over to other providers",
  ppio_challenges_answered_total: "Challenges of single slots that were answered",
  ppio_open_challenges: "Challenges of single slots that wait for an answer",
  ppio_open_alerts: "Alerts that are open",
  ppio_accepting: "1 while new slots are taken",
  ppio_gas_coin: "Coin of the operator, in whole coins",
  ppio_gas_proofs: "Proofs that the operator's coin pays for at the present fee",
  ppio_price_wei: "Price of a GiB per period as of now, in wei",
  ppio_last_proven_period: "Newest period that was proven",
  ppio_used_bytes: "Space taken by slots",
  ppio_free_bytes: "Space left to rent out",
  ppio_slots: "Slots held",
  ppio_damaged_slots: "Slots in which damage was found since the start",
} as const;

export type ProviderMetrics = Metrics<keyof typeof HELP>;

export function createProviderMetrics(): ProviderMetrics {
  return createMetrics(HELP);
}
