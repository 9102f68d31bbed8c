/** A provider's standing as people read it. */
import { formatBytes, formatTokens } from "../output.ts";
import type { WireReport } from "./control.ts";
import { describeScore, type ScoreHistoryEntry } from "./scores.ts";
import type { ProviderStatus } from "./status.ts";

export function describeStatus(status: ProviderStatus, scores: readonly ScoreHistoryEntry[]): string {
  return [
    `provider    ${status.providerId} at ${status.endpoint} (${status.health})`,
    `owner       ${status.owner}`,
    `operator    ${status.operator}, epoch ${status.operatorEpoch}`,
    `collateral  ${formatTokens(status.collateralWei)}, of which ${formatTokens(status.lockedWei)} locked by slots`,
    `credits     ${formatTokens(status.creditWei)} (of the owner)`,
    `proofs      ${status.provenPeriods} periods proven, ${status.missedPeriods} missed, ${formatTokens(status.slashedWei)} slashed`,
    `repairs     ${status.repairedSlots} vacant slots rebuilt for ${formatTokens(status.premiumsWei)}`,
    `service     ${describeScore(scores.at(-1))} of 10000, ${scores.length} scores by the verifiers`,
    status.evictedAtPeriod === 0
      ? `standing    ${status.incidentMisses === 0 ? "good" : `in business; newest incident: ${status.incidentMisses} missed periods`}`
      : `standing    evicted in period ${status.evictedAtPeriod}`,
  ].join("\n");
}

/** What the running provider says of itself. */
export function describeReport(report: WireReport, page: string): string {
  const tokens = (wei: string): string => formatTokens(BigInt(wei));
  const percent = ((report.usedBytes * 100) / report.capacityBytes).toFixed(1);
  const { exit, damage } = report;
  return [
    `provider    ${report.providerId} at ${report.endpoint}; status page ${page} (its password is the token of control.json)`,
    `income      ${tokens(report.earnedWei)} earned, ${tokens(report.creditWei)} to be claimed by ${report.owner}`,
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
