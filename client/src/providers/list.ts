/** Providers as the registry and they themselves describe them. */
import type { ProviderInfo } from "@ppio/core";
import type { Context } from "../context.ts";
import { mapConcurrent, withDeadline } from "../deps.ts";

/** A client looks at this many providers at most, the newest ones first. */
export const PROVIDERS_MAX = 500;
const ASKED_AT_ONCE = 16;
const INFO_MS = 5_000;

export interface ProviderView {
  readonly providerId: number;
  readonly owner: string;
  readonly operator: string;
  readonly operatorEpoch: number;
  readonly endpoint: string;
  readonly failureDomain: string;
  readonly pricePerGibPeriodWei: bigint;
  readonly capacityBytes: number;
  readonly collateralWei: bigint;
  readonly freeCollateralWei: bigint;
  /** 0 while it is not evicted. */
  readonly evictedAtPeriod: number;
  /** What it says of itself; missing when it did not answer. */
  readonly info?: ProviderInfo;
  readonly latencyMs?: number;
  /** Why it cannot be used now. */
  readonly problem?: string;
}

/** All providers of the registry, evicted and unreachable ones included. */
export function listProviders(context: Context, signal?: AbortSignal): Promise<ProviderView[]> {
  return look(context, INFO_MS, signal);
}

/** The same for slots that are to be stored: who does not answer soon is not waited for, unless too few do. */
export async function listProvidersSoon(context: Context, needed: number, signal?: AbortSignal): Promise<ProviderView[]> {
  const views = await look(context, context.limits.lateMs, signal);
  const usable = views.filter(({ problem }) => problem === undefined).length;
  return usable < needed ? listProviders(context, signal) : views;
}

async function look(context: Context, infoMs: number, signal: AbortSignal | undefined): Promise<ProviderView[]> {
  const { chain } = context;
  const count = Number(await chain.read("number of providers", () => chain.registry.providerCount(), signal));
  const looked = Math.min(count, PROVIDERS_MAX);
  const ids = Array.from({ length: looked }, (_, at) => count - looked + 1 + at);
  return mapConcurrent(ids, ASKED_AT_ONCE, (providerId) => viewProvider(context, providerId, infoMs, signal));
}

async function viewProvider(context: Context, providerId: number, infoMs: number, signal: AbortSignal | undefined): Promise<ProviderView> {
  const { chain, clock } = context;
  const [record, freeCollateralWei] = await Promise.all([
    chain.read("provider", () => chain.registry.getProvider(providerId), signal),
    chain.read("free collateral", () => chain.registry.freeCollateral(providerId), signal),
  ]);
  const view: ProviderView = {
    providerId,
    owner: record.owner,
    operator: record.operator,
    operatorEpoch: Number(record.operatorEpoch),
    endpoint: record.endpoint,
    failureDomain: record.failureDomain,
    pricePerGibPeriodWei: record.pricePerGibPeriodWei,
    capacityBytes: Number(record.capacityBytes),
    collateralWei: record.collateralWei,
    freeCollateralWei,
    evictedAtPeriod: Number(record.evictedAtPeriod),
  };
  if (view.evictedAtPeriod !== 0) return { ...view, problem: `evicted in period ${view.evictedAtPeriod}` };
  const startedMs = clock.nowMs();
  try {
    const info = await withDeadline(clock, infoMs, signal, `Provider ${providerId}`, (inner) => context.api(view.endpoint).info(inner));
    const problem = contradiction(context, view, info);
    return { ...view, info, latencyMs: clock.nowMs() - startedMs, ...(problem === undefined ? {} : { problem }) };
  } catch (error) {
    if (signal?.aborted) throw error;
    return { ...view, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** What a provider says of itself must be what the chain says of it. */
function contradiction(context: Context, view: ProviderView, info: ProviderInfo): string | undefined {
  const { chainId, market } = context.chain.book;
  if (info.providerId !== view.providerId) return `another provider (${info.providerId}) answers at ${view.endpoint}`;
  if (info.chainId !== chainId || info.market.toLowerCase() !== market.toLowerCase()) return "it serves another network";
  if (info.operatorEpoch !== view.operatorEpoch) return "it signs with another operator key than the registry names";
  return undefined;
}
