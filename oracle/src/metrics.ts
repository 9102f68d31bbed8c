/** What an oracle counts. */
import { createMetrics, type Metrics } from "@ppio/daemon";

const HELP = {
  ppio_beacons_relayed_total: "Beacon rounds brought to the chain",
  ppio_misses_reported_total: "Misses reported",
  ppio_periods_voided_total: "Periods marked void: no beacon in time, or a halt that was shown",
  ppio_slots_settled_total: "Slots settled for evicted providers and ended deals",
  ppio_duty_failures_total: "Rounds of work that failed",
  ppio_last_relayed_round: "Newest beacon round known to be on the chain",
  ppio_current_period: "Current period",
} as const;

export type OracleMetrics = Metrics<keyof typeof HELP>;

export function createOracleMetrics(): OracleMetrics {
  return createMetrics(HELP);
}
