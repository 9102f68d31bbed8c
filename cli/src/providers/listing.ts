/** What `ppio provider ls` and `status` say of how providers stand: the same words for both. */
import {
  isHeld,
  isVetted,
  type ProviderStanding,
  type ProviderView,
  reasonAgainst,
  type ServiceRecord,
  type Standing,
  VETTED_PERIODS,
  VETTED_PERIODS_SCORED,
} from "@ppio/client";
import { formatBytes, formatTokens, table } from "../output.ts";
import { describeScore } from "./scores.ts";
import type { ProviderStatus } from "./status.ts";

/** A slot of one cell of the default size: who has no room for it has none. */
const LEAST_SLOT_BYTES = 65_536;

export interface ListedProvider extends ProviderView {
  /** No newcomer any more. */
  readonly vetted: boolean;
  /** Why a put would not choose it now, or only when too few others are left; missing when it would. */
  readonly outBecause?: string;
}

export function toListed(view: ProviderView, nowMs: number): ListedProvider {
  const outBecause = reasonAgainst(view, LEAST_SLOT_BYTES) ?? describeHold(view.served, nowMs);
  return { ...view, vetted: isVetted(view.standing), ...(outBecause === undefined ? {} : { outBecause }) };
}

export function describeProviders(providers: readonly ListedProvider[]): string {
  if (providers.length === 0) return "no providers";
  const rows = providers.map((p) => [
    String(p.providerId),
    p.endpoint,
    formatTokens(p.pricePerGibPeriodWei),
    p.info === undefined ? "-" : formatBytes(p.info.freeBytes),
    formatTokens(p.collateralWei),
    String(p.standing.provenPeriods),
    String(p.standing.missedPeriods),
    describeScore(p.standing.score),
    p.outBecause ?? (p.vetted ? "ok" : describeNewness(p.standing)),
  ]);
  return table(["id", "endpoint", "per GiB and period", "free", "collateral", "proven", "missed", "service", "state"], rows);
}

export function describeStatus(status: ProviderStatus & ProviderStanding, nowMs: number): string {
  const { recent, scores, slashes } = status;
  const slashed = [...new Set(slashes.map(({ reason }) => reason))].map((reason) => {
    return `${slashes.filter((slash) => slash.reason === reason).length} for ${reason}`;
  });
  return [
    `provider    ${status.providerId} at ${status.endpoint} (${status.health})`,
    `owner       ${status.owner}${status.ownerEvictions.length === 0 ? "" : `, of whom ${status.ownerEvictions.join(", ")} were evicted`}`,
    `operator    ${status.operator}, epoch ${status.operatorEpoch}`,
    `since       ${new Date(status.registeredAt * 1000).toISOString()}, ${describeAge(status.ageSeconds)} ago`,
    `collateral  ${formatTokens(status.collateralWei)}, of which ${formatTokens(status.lockedWei)} locked by slots`,
    `credits     ${formatTokens(status.creditWei)} (of the owner), and ${formatTokens(status.readsCreditWei)} for reads`,
    `proofs      ${status.provenPeriods} periods proven, ${status.missedPeriods} missed, ${status.warnings} of them with a warning`,
    `lately      ${recent.provenPeriods} of ${recent.windowPeriods} periods proven; ${isVetted(recent) ? "vetted" : describeNewness(recent)}`,
    `slashed     ${formatTokens(status.slashedWei)}${slashed.length === 0 ? "" : ` (${slashed.join(", ")})`}`,
    `repairs     ${status.repairedSlots} vacant slots rebuilt for ${formatTokens(status.premiumsWei)}`,
    `service     ${describeScore(scores.at(-1))} of 10000, ${scores.length} scores by the verifiers`,
    `seen here   ${describeServed(status.served, nowMs)}`,
    status.evictedAtPeriod === 0
      ? `standing    ${status.incidentMisses === 0 ? "good" : `in business; newest incident: ${status.incidentMisses} missed periods`}`
      : `standing    evicted in period ${status.evictedAtPeriod}`,
  ].join("\n");
}

function describeNewness({ provenPeriods, score }: Standing): string {
  return `new: ${provenPeriods} of ${score === undefined ? VETTED_PERIODS : VETTED_PERIODS_SCORED} periods proven`;
}

function describeHold(served: ServiceRecord | undefined, nowMs: number): string | undefined {
  if (served?.failure === undefined || !isHeld(served, nowMs)) return undefined;
  return `${served.failure.kind} here; not chosen before ${new Date(served.failure.untilMs).toISOString()} unless too few others are left`;
}

function describeServed(served: ServiceRecord | undefined, nowMs: number): string {
  if (served === undefined) return "nothing yet";
  const { latencyMs, sentBytesPerSecond, readBytesPerSecond } = served;
  const parts = [
    latencyMs === undefined ? undefined : `answers after ${Math.round(latencyMs)} ms`,
    sentBytesPerSecond === undefined ? undefined : `takes ${formatBytes(Math.round(sentBytesPerSecond))}/s`,
    readBytesPerSecond === undefined ? undefined : `gives ${formatBytes(Math.round(readBytesPerSecond))}/s`,
    describeHold(served, nowMs),
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? "nothing measured yet" : parts.join(", ");
}

const UNITS = [
  ["days", 86_400],
  ["hours", 3_600],
  ["minutes", 60],
] as const;

function describeAge(seconds: number): string {
  const [unit, size] = UNITS.find((candidate) => seconds >= 2 * candidate[1]) ?? ["seconds", 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}
