/** What a verifier counts. */
import { createMetrics, type Metrics } from "@ppio/daemon";

const HELP = {
  ppio_probes_total: "Reads that were measured",
  ppio_probes_failed_total: "Measured reads that were not served",
  ppio_probes_false_total: "Measured reads that were answered with false bytes",
  ppio_probes_dropped_total:
    "Planned reads that were not measured: no ticket, no slot, too late, not paid by us, or our own network was down",
  ppio_probes_unpaid_total: "Planned reads that were not measured because we could not pay for them",
  ppio_reports_committed_total: "Reports committed to",
  ppio_reports_revealed_total: "Reports revealed",
  ppio_providers_scored_total: "Providers offered for scoring in our transactions",
  ppio_lies_proven_total: "Lies that providers signed and we took to the chain",
  ppio_duty_failures_total: "Rounds of work that failed",
  ppio_canary_providers: "Providers that hold a canary slot we may read",
  ppio_current_term: "Current term",
} as const;

export type VerifierMetrics = Metrics<keyof typeof HELP>;

export function createVerifierMetrics(): VerifierMetrics {
  return createMetrics(HELP);
}
