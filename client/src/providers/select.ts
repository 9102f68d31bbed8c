/**
 * Which providers get the slots of a deal: distinct, able to take a slot, spread over owners and failure domains first, then cheap
 * and near. Pure; the order is the order in which they are used, so what follows the first n are the spares.
 */
import { PpioError, type ProviderInfo, payForSlot } from "@ppio/core";
import type { ProviderView } from "./list.ts";
import { describeReasons } from "./reasons.ts";

export interface Candidate {
  readonly providerId: number;
  readonly owner: string;
  readonly operator: string;
  readonly operatorEpoch: number;
  readonly endpoint: string;
  readonly failureDomain: string;
  readonly info: ProviderInfo;
  readonly latencyMs: number;
  /** What a slot of this size may cost at most. */
  readonly payPerPeriodWei: bigint;
}

export interface SelectOptions {
  readonly providers: readonly ProviderView[];
  readonly slotBytes: number;
  /** How many are needed; fewer is `NOT_ENOUGH_PROVIDERS`. */
  readonly needed: number;
  /** Most spares beyond `needed`. */
  readonly spares: number;
  readonly exclude?: ReadonlySet<number>;
  /** Providers that have a part of a slot of this deal already: taken first, and their room is taken already. */
  readonly begun?: ReadonlySet<number>;
  /** Providers that are taken last. */
  readonly avoid?: ReadonlySet<number>;
  /** Collateral that offers not yet on the chain will lock, by provider. */
  readonly promisedWei?: ReadonlyMap<number, bigint>;
  /** Owners and failure domains that hold slots of the deal already. */
  readonly neighbours?: readonly Pick<ProviderView, "owner" | "failureDomain">[];
  /** For a refill, the pay that the deal fixes. */
  readonly payPerPeriodWei?: bigint;
}

export function selectCandidates(options: SelectOptions): Candidate[] {
  const { providers, needed, spares, neighbours = [] } = options;
  const rejected: { providerId: number; reason: string }[] = [];
  const fit: Candidate[] = [];
  for (const provider of providers) {
    const judged = judge(provider, options);
    if (typeof judged === "string") rejected.push({ providerId: provider.providerId, reason: judged });
    else fit.push(judged);
  }
  if (fit.length < needed) {
    const reasons = describeReasons(rejected.map(({ providerId, reason }) => [providerId, reason]));
    throw new PpioError(
      "NOT_ENOUGH_PROVIDERS",
      `${needed} providers are needed and ${fit.length} can take a slot now${reasons === "" ? "" : ` (${reasons})`}; start more or choose a smaller n.`,
      { details: { needed, fit: fit.map((candidate) => candidate.providerId), rejected } },
    );
  }
  const isBegun = ({ providerId }: Candidate): boolean => options.begun?.has(providerId) === true;
  const isAvoided = ({ providerId }: Candidate): boolean => options.avoid?.has(providerId) === true;
  const begun = fit.filter(isBegun);
  const others = spreadOut(
    fit.filter((candidate) => !isBegun(candidate)),
    [...neighbours, ...begun],
  );
  return [...begun, ...others.filter((one) => !isAvoided(one)), ...others.filter(isAvoided)].slice(0, needed + spares);
}

function judge(provider: ProviderView, options: SelectOptions): Candidate | string {
  const { info, problem } = provider;
  if (options.exclude?.has(provider.providerId)) return "has a slot of this deal or failed before";
  if (problem !== undefined) return problem;
  if (info === undefined) return "does not answer";
  if (info.freeBytes < options.slotBytes && options.begun?.has(provider.providerId) !== true)
    return `has ${info.freeBytes} bytes free, a slot has ${options.slotBytes}`;
  const asked = payForSlot(BigInt(info.pricePerGibPeriodWei), options.slotBytes);
  if (options.payPerPeriodWei !== undefined && options.payPerPeriodWei < asked) return "asks for more than the deal pays";
  const payPerPeriodWei = options.payPerPeriodWei ?? asked;
  const freeWei = provider.freeCollateralWei - (options.promisedWei?.get(provider.providerId) ?? 0n);
  const lockedWei = payPerPeriodWei * BigInt(info.collateralPeriods);
  if (freeWei < lockedWei) return `has ${freeWei} wei of free collateral, a slot locks ${lockedWei}`;
  const { providerId, owner, operator, operatorEpoch, endpoint, failureDomain } = provider;
  const latencyMs = provider.latencyMs ?? 0;
  return { providerId, owner, operator, operatorEpoch, endpoint, failureDomain, info, latencyMs, payPerPeriodWei };
}

/** Picks one after the other, each time from the owner and the failure domain that were picked least. */
function spreadOut(fit: readonly Candidate[], neighbours: SelectOptions["neighbours"]): Candidate[] {
  const owners = new Map<string, number>();
  const domains = new Map<string, number>();
  const count = (map: Map<string, number>, key: string): number => map.get(key) ?? 0;
  const note = (one: { readonly owner: string; readonly failureDomain: string }): void => {
    owners.set(one.owner, count(owners, one.owner) + 1);
    domains.set(one.failureDomain, count(domains, one.failureDomain) + 1);
  };
  for (const neighbour of neighbours ?? []) note(neighbour);
  const left = [...fit].sort(cheapAndNear);
  const picked: Candidate[] = [];
  while (left.length > 0) {
    let best = 0;
    let bestCrowd = Number.POSITIVE_INFINITY;
    for (const [at, candidate] of left.entries()) {
      const crowd = count(owners, candidate.owner) + count(domains, candidate.failureDomain);
      if (crowd < bestCrowd) [best, bestCrowd] = [at, crowd];
    }
    const [next] = left.splice(best, 1);
    if (next === undefined) break;
    note(next);
    picked.push(next);
  }
  return picked;
}

function cheapAndNear(a: Candidate, b: Candidate): number {
  if (a.payPerPeriodWei !== b.payPerPeriodWei) return a.payPerPeriodWei < b.payPerPeriodWei ? -1 : 1;
  return a.latencyMs - b.latencyMs || a.providerId - b.providerId;
}
