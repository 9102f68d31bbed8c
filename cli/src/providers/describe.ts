/** What a running provider reports, as people read it. */
import { formatBytes, formatTokens } from "../output.ts";
import type { WireReport } from "./control.ts";

/** What the running provider says of itself. */
export function describeReport(report: WireReport, page: string): string {
  const tokens = (wei: string): string => formatTokens(BigInt(wei));
  const percent = ((report.usedBytes * 100) / report.capacityBytes).toFixed(1);
  const { exit, damage } = report;
  return [
    `provider    ${report.providerId} at ${report.endpoint}; status page ${page} (its password is the token of control.json)`,
    `income      ${tokens(report.earnedWei)} earned, ${tokens(report.creditWei)} to be claimed by ${report.owner}`,
    `reads       ${report.readPricePerGibWei === "0" ? "free" : `${tokens(report.readPricePerGibWei)} per GiB`}, ${tokens(report.readsEarnedWei)} earned, ${tokens(report.vouchersOpenWei)} in vouchers, ${tokens(report.readsCreditWei)} to be claimed`,
    `collateral  ${tokens(report.collateralWei)}, of which ${tokens(report.lockedWei)} locked by slots`,
    `proofs      ${report.provenPeriods} periods proven (newest ${report.lastProvenPeriod}), ${report.missedPeriods} missed`,
    `penalties   ${tokens(report.slashedWei)} slashed, ${report.lostSlots} slots lost, ${damage.damaged.length} damaged now`,
    `space       ${report.slots} slots, ${formatBytes(report.usedBytes)} of ${formatBytes(report.capacityBytes)} (${percent} %)`,
    `gas         ${tokens(report.coinWei).replace("PPIO", "coin")} of the operator ${report.operator}`,
    `new slots   ${report.hindrances.length === 0 ? "are taken" : `are not taken: ${report.hindrances.join(", ")}`}`,
    ...(exit.since === null ? [] : [`leaving     since ${exit.since}: ${exit.moved} slots moved, ${exit.remaining ?? "?"} left`]),
    ...(exit.problem === null ? [] : [`            ${exit.problem}`]),
    ...report.alerts.map(({ message }) => `alert       ${message}`),
  ].join("\n");
}
