/** What helpers saw, in one sentence: one that reached the daemon outweighs all that did not. */
import type { DialOutcome } from "@ppio/core";
import { type Finding, finding } from "./findings.ts";
import type { HelperReport } from "./helpers.ts";
import type { ReachState } from "./reach-state.ts";

export interface OutsideCheck {
  readonly isReachable: boolean | undefined;
  readonly finding: Finding;
}

type Failure = Exclude<DialOutcome, "reached">;

export function checkOutside(reports: readonly HelperReport[], state: ReachState | undefined): OutsideCheck {
  const reached = reports.filter(({ outcome }) => outcome === "reached");
  if (reached.length > 0) {
    const by = reached.map(({ helperId }) => helperId).join(", ");
    const message = `Reached from outside by ${reached.length} of ${reports.length} providers that were asked (${by}).`;
    return { isReachable: true, finding: finding("outside-ok", message) };
  }
  const failure = mostFrequent(reports);
  if (failure === undefined) {
    const message = "No other provider could be asked to connect here; try again later, or open the endpoint from another network.";
    return { isReachable: undefined, finding: finding("outside-no-helper", message) };
  }
  return { isReachable: false, finding: finding(`outside-${failure.outcome}`, describe(failure, state)) };
}

interface FailedReport extends HelperReport {
  readonly outcome: Failure;
}

function mostFrequent(reports: readonly HelperReport[]): FailedReport | undefined {
  const failed = reports.filter((report): report is FailedReport => report.outcome !== "reached");
  const votes = (outcome: Failure): number => failed.filter((report) => report.outcome === outcome).length;
  return [...failed].sort((a, b) => votes(b.outcome) - votes(a.outcome))[0];
}

function describe({ outcome, address, reason }: FailedReport, state: ReachState | undefined): string {
  const at = address === undefined ? "the endpoint" : `${address}`;
  const port = state === undefined ? "the daemon's port" : `port ${new URL(state.url).port || "80"}`;
  switch (outcome) {
    case "silent":
      return `Connections from outside to ${at} get no answer; let them through the firewall, and forward ${port} of this machine in the router.`;
    case "refused":
      return `Connections from outside to ${at} are refused; forward the endpoint's port to ${port} of this machine, and check that host is not a loopback address.`;
    case "stranger":
      return `Something else answers from outside at ${at}; the forwarded port leads to another machine or program: correct it.`;
    case "tls":
      return `From outside the certificate is not accepted${reason === undefined ? "" : ` (${reason})`}; use one of a public authority for the endpoint's name, with its chain.`;
    case "unresolved":
      return "Others cannot resolve the endpoint's name; check its DNS record.";
    case "forbidden":
      return "Others do not connect to this endpoint; it must be a public address, and its port 80, 443 or from 1024 on.";
    case "broken":
      return `Connections from outside to ${at} break off; check a proxy in between, and that the endpoint's scheme is what the daemon serves.`;
  }
}
