/** Who is able to take a slot, and why another one is not. */
import { type ProviderInfo, parseReadTerms, payForSlot, readCostWei } from "@ppio/core";
import type { ProviderView } from "./list.ts";
import type { Judged } from "./rank.ts";
import type { Place } from "./spread.ts";

export interface Candidate extends Judged, Place {
  readonly providerId: number;
  readonly operator: string;
  readonly operatorEpoch: number;
  readonly info: ProviderInfo;
  /** What a slot of this size may cost at most. */
  readonly payPerPeriodWei: bigint;
}

/** A candidate as selection weighs it. */
export interface Fit extends Candidate {
  /** Slots of this size that it has space and free collateral for: nobody draws more load by claiming space than it puts money behind. */
  readonly room: number;
  /** What reading all of a slot once costs. */
  readonly readWei: bigint;
}

export interface FitOptions {
  readonly slotBytes: number;
  /** How long the deal pays, where that is known. */
  readonly periods?: number;
  readonly exclude?: ReadonlySet<number>;
  /** Providers that have a part of a slot of this deal already: taken first, and their room is taken already. */
  readonly begun?: ReadonlySet<number>;
  /** Collateral that offers not yet on the chain will lock, by provider. */
  readonly promisedWei?: ReadonlyMap<number, bigint>;
  /** For a refill, the pay that the deal fixes. */
  readonly payPerPeriodWei?: bigint;
}

/** Why a provider would not be given a slot now; nothing when it would. */
export function reasonAgainst(view: ProviderView, slotBytes: number): string | undefined {
  const judged = judge(view, { slotBytes });
  return typeof judged === "string" ? judged : undefined;
}

/** A candidate, or the reason why there is none. */
export function judge(view: ProviderView, options: FitOptions): Fit | string {
  const { info, problem } = view;
  if (options.exclude?.has(view.providerId)) return "has a slot of this deal or failed before";
  if (problem !== undefined) return problem;
  if (info === undefined) return "does not answer";
  const isBegun = options.begun?.has(view.providerId) === true;
  const refusal = isBegun ? undefined : refusalOf(info, options.periods);
  if (refusal !== undefined) return refusal;
  if (info.freeBytes < options.slotBytes && !isBegun) return `has ${info.freeBytes} bytes free, a slot has ${options.slotBytes}`;
  const asked = payForSlot(BigInt(info.pricePerGibPeriodWei), options.slotBytes);
  if (options.payPerPeriodWei !== undefined && options.payPerPeriodWei < asked) return "asks for more than the deal pays";
  const payPerPeriodWei = options.payPerPeriodWei ?? asked;
  const freeWei = view.freeCollateralWei - (options.promisedWei?.get(view.providerId) ?? 0n);
  const lockedWei = lockedFor(info, payPerPeriodWei);
  const mostWei = BigInt(info.policy?.maxCollateralWei ?? 0);
  if (mostWei > 0n && lockedWei > mostWei) return `puts at most ${mostWei} wei down for a slot, and this one locks ${lockedWei}`;
  if (freeWei < lockedWei) return `has ${freeWei} wei of free collateral, a slot locks ${lockedWei}`;
  const { providerId, owner, operator, operatorEpoch, endpoint, failureDomain, standing, served, latencyMs = 0 } = view;
  const room = Math.min(info.freeBytes / options.slotBytes, lockedWei === 0n ? Number.POSITIVE_INFINITY : Number(freeWei / lockedWei));
  const readWei = readCostWei(parseReadTerms({ ...info.reads })?.pricePerGibWei ?? 0n, options.slotBytes);
  const seen = { info, standing, served, latencyMs };
  return { providerId, owner, operator, operatorEpoch, endpoint, failureDomain, ...seen, payPerPeriodWei, room, readWei };
}

/** Collateral that offers of these candidates will lock, by provider. */
export function promisesOf(candidates: readonly Candidate[]): ReadonlyMap<number, bigint> {
  return new Map(candidates.map(({ providerId, info, payPerPeriodWei }) => [providerId, lockedFor(info, payPerPeriodWei)]));
}

/** What it says that it does not take. */
function refusalOf({ policy }: ProviderInfo, periods: number | undefined): string | undefined {
  if (policy === undefined) return undefined;
  const { hindrances, periodsMin, periodsMax } = policy;
  if (hindrances.length > 0) return `takes no slots now: ${hindrances.join(", ")}`;
  if (periods === undefined || (periods >= periodsMin && periods <= periodsMax)) return undefined;
  return `takes deals of ${periodsMin} to ${periodsMax} periods`;
}

/** Collateral of a slot with this pay, by the provider's own rule. */
function lockedFor({ collateralPeriods, policy }: ProviderInfo, payPerPeriodWei: bigint): bigint {
  const byPay = payPerPeriodWei * BigInt(collateralPeriods);
  const leastWei = BigInt(policy?.minCollateralWei ?? 0);
  return byPay > leastWei ? byPay : leastWei;
}
