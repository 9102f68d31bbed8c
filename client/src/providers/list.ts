/** Providers as the registry and they themselves describe them. */
import { isPpioError, type ProviderInfo } from "@ppio/core";
import type { Context } from "../context.ts";
import { mapConcurrent, withDeadline } from "../deps.ts";
import { isHeld, type ServiceRecord } from "./service-record.ts";
import { readStanding, type Standing } from "./standing.ts";

/** A client looks at this many providers at most, the newest ones first. */
export const PROVIDERS_MAX = 500;
const ASKED_AT_ONCE = 16;
const INFO_MS = 5_000;
/** So many times as long as the longest of the answers so far is late, if there are enough of them. */
const LATE_FACTOR = 4;
const ANSWERS_MIN = 4;
/** Nobody is late before, however near the others are: deals are spread over the world. Who was silent when it was asked last not before so long. */
const PATIENCE_MIN_MS = 500;
const PATIENCE_SILENT_MS = 150;
const SEED_BYTES = 32;
/** Reasons of a provider that takes nothing. */
const HINDRANCES_MAX = 16;
/** In plain text: it is shown on terminals. */
const HINDRANCE = /^[ -~]{0,256}$/;

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
  /** Proofs, misses and score, from the chain. */
  readonly standing: Standing;
  /** What this client has seen of it; missing when it never dealt with it. */
  readonly served?: ServiceRecord;
  /** What it says of itself; missing when it did not answer. */
  readonly info?: ProviderInfo;
  readonly latencyMs?: number;
  /** Why it cannot be used now. */
  readonly problem?: string;
}

/** Providers as they were at one moment, and the lot that decides between equals. */
export interface ProviderPool {
  readonly views: readonly ProviderView[];
  readonly seed: Uint8Array;
  readonly nowMs: number;
  /** The same, with everybody waited for, looked at once; missing when they were. */
  readonly all?: () => Promise<ProviderPool>;
}

/** All providers of the registry, evicted and unreachable ones included. */
export function listProviders(context: Context, signal?: AbortSignal): Promise<ProviderView[]> {
  return look(context, () => INFO_MS, signal);
}

/** The same for slots that are to be stored. */
export async function poolProviders(context: Context, signal?: AbortSignal): Promise<ProviderPool> {
  return poolOf(context, await listProviders(context, signal));
}

/** Who lets the others wait is not waited for, unless too few answer. */
export async function poolProvidersSoon(context: Context, needed: number, signal?: AbortSignal): Promise<ProviderPool> {
  const { limits, silent } = context;
  const waitMs: WaitMs = (providerId, tookMs) => {
    if (tookMs.length < ANSWERS_MIN) return limits.lateMs;
    const patienceMs = silent.isBehind(providerId) ? PATIENCE_SILENT_MS : PATIENCE_MIN_MS;
    return Math.min(limits.lateMs, Math.max(patienceMs, LATE_FACTOR * Math.max(...tookMs)));
  };
  const pool = poolOf(context, await look(context, waitMs, signal));
  const usable = pool.views.filter(({ problem, served }) => problem === undefined && !isHeld(served, pool.nowMs)).length;
  let looked: Promise<ProviderPool> | undefined;
  const all = (): Promise<ProviderPool> => {
    looked ??= poolProviders(context, signal);
    return looked;
  };
  return usable < needed ? all() : { ...pool, all };
}

function poolOf({ random, clock }: Context, views: readonly ProviderView[]): ProviderPool {
  return { views, seed: random(SEED_BYTES), nowMs: clock.nowMs() };
}

/** How long a provider's answer is waited for, when the answers so far took `tookMs`. */
type WaitMs = (providerId: number, tookMs: readonly number[]) => number;

async function look(context: Context, waitMs: WaitMs, signal: AbortSignal | undefined): Promise<ProviderView[]> {
  const { chain } = context;
  await context.service.ready();
  const [total, period] = await chain.read(
    "number of providers",
    () => Promise.all([chain.registry.providerCount(), chain.proofs.currentPeriod()]),
    signal,
  );
  const count = Number(total);
  const looked = Math.min(count, PROVIDERS_MAX);
  const ids = Array.from({ length: looked }, (_, at) => count - looked + 1 + at);
  const asking: Asking = { period: Number(period), waitMs, tookMs: [], signal };
  return mapConcurrent(ids, ASKED_AT_ONCE, (providerId) => viewProvider(context, providerId, asking));
}

interface Asking {
  /** The present one. */
  readonly period: number;
  readonly waitMs: WaitMs;
  /** By those who have answered. */
  readonly tookMs: number[];
  readonly signal: AbortSignal | undefined;
}

async function viewProvider(context: Context, providerId: number, asking: Asking): Promise<ProviderView> {
  const { chain, service } = context;
  const { period, signal } = asking;
  const [record, freeCollateralWei, standing] = await Promise.all([
    chain.read("provider", () => chain.registry.getProvider(providerId), signal),
    chain.read("free collateral", () => chain.registry.freeCollateral(providerId), signal),
    readStanding(chain, providerId, period, signal),
  ]);
  const served = service.recordOf(providerId);
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
    standing,
    ...(served === undefined ? {} : { served }),
  };
  if (view.evictedAtPeriod !== 0) return { ...view, problem: `evicted in period ${view.evictedAtPeriod}` };
  return ask(context, view, asking);
}

/** Adds what it says of itself. */
async function ask(context: Context, view: ProviderView, { waitMs, tookMs, signal }: Asking): Promise<ProviderView> {
  const { clock, service, silent } = context;
  const { providerId, endpoint } = view;
  const startedMs = clock.nowMs();
  try {
    const info = await withDeadline(
      clock,
      () => waitMs(providerId, tookMs),
      signal,
      `Provider ${providerId}`,
      (inner) => context.api(endpoint).info(inner),
    );
    const latencyMs = clock.nowMs() - startedMs;
    tookMs.push(latencyMs);
    service.answered(providerId, latencyMs);
    silent.served(providerId);
    const problem = contradiction(context, view, info);
    return { ...view, ...(isSound(info) ? { info } : {}), latencyMs, ...(problem === undefined ? {} : { problem }) };
  } catch (error) {
    if (signal?.aborted) throw error;
    if (isPpioError(error, "TIMEOUT")) silent.late(providerId);
    return { ...view, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** A provider may answer anything; what is reckoned with must be numbers. */
function isSound(info: ProviderInfo): boolean {
  if (!isRecord(info) || (info.policy !== undefined && !isRecord(info.policy))) return false;
  const { freeBytes, collateralPeriods, pricePerGibPeriodWei, policy } = info;
  const figures = [freeBytes, collateralPeriods, ...(policy === undefined ? [] : [policy.periodsMin, policy.periodsMax])];
  const amounts = [pricePerGibPeriodWei, ...(policy === undefined ? [] : [policy.minCollateralWei, policy.maxCollateralWei])];
  const hindrances: unknown = policy === undefined ? [] : policy.hindrances;
  return (
    figures.every((figure) => Number.isSafeInteger(figure) && figure >= 0) &&
    amounts.every((amount) => /^\d{1,40}$/.test(amount)) &&
    Array.isArray(hindrances) &&
    hindrances.length <= HINDRANCES_MAX &&
    hindrances.every((hindrance) => HINDRANCE.test(hindrance))
  );
}

function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** What a provider says of itself must be what the chain says of it. */
function contradiction(context: Context, view: ProviderView, info: ProviderInfo): string | undefined {
  const { chainId, market } = context.chain.book;
  if (!isSound(info)) return "it describes itself in another format";
  if (info.providerId !== view.providerId) return `another provider (${info.providerId}) answers at ${view.endpoint}`;
  if (info.chainId !== chainId || info.market.toLowerCase() !== market.toLowerCase()) return "it serves another network";
  if (info.operatorEpoch !== view.operatorEpoch) return "it signs with another operator key than the registry names";
  return undefined;
}
