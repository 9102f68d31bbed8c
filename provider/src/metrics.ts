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
  ppio_repair_served_bytes_total: "Bytes of slots that repairers read here",
  ppio_repair_read_bytes_total: "Bytes that own repairs read from others",
  ppio_repair_sent_bytes_total: "Bytes of rebuilt slots sent to others",
  ppio_repaired_slots_total: "Vacant slots that were rebuilt and filled",
  ppio_repairs_given_up_total: "Repairs that ended before all their slots were filled",
  ppio_repairs_running: "Repairs under way",
  ppio_vacant_deals: "Deals with slots that nobody holds",
  ppio_mended_slots_total: "Slots whose record or tree had rotted on disk and was written again by the scrub",
  ppio_disk_errors_total: "Calls of the system in which the disk of the slots failed or was full",
  ppio_disk_ok: "1 when the disk of the slots is there and took bytes for good just now, else 0",
  ppio_slots_set_aside: "Slots on disk whose records cannot be read, moved aside",
  ppio_reachable: "1 when another provider reached this one at the last self-test, 0 when none did; -1 when nobody could be asked",
  ppio_reach_problems: "Findings of the last self-test that need somebody to do something",
  ppio_port_mapped: "1 while the router maps the port of this daemon",
  ppio_endpoint_updates_total: "Times that the endpoint on the chain was changed",
  ppio_dialbacks_total: "Connections made to other providers that wanted to know whether they can be reached",
  ppio_certificate_expires_at: "When the certificate in use ends, Unix seconds; 0 without one",
  ppio_certificate_failures_total: "Times that a certificate could not be loaded, got or renewed",
  ppio_vouchers_total: "Vouchers for reads that came and were higher than the ones before",
  ppio_unpaid_reads_total: "Reads that were not served because they were not paid for",
  ppio_redeemed_vouchers_total: "Vouchers that were redeemed on the chain",
  ppio_voucher_streams: "Streams of vouchers that are kept",
  ppio_vouchers_open_wei: "What vouchers say that is not redeemed yet, in wei",
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
