/** What a provider's price is worth: pay and reads, raised by factors for bad service, missed periods and slowness, and a fair draw among equals. */
import { sha256 } from "@noble/hashes/sha2.js";
import type { ServiceRecord } from "./service-record.ts";
import type { Standing } from "./standing.ts";

/** What the factors need of a provider. */
export interface Judged {
  readonly standing: Standing;
  /** What this client has seen of it. */
  readonly served?: ServiceRecord | undefined;
  readonly latencyMs: number;
}

/** Stands in for a score that nobody gave yet. */
export const SCORE_UNKNOWN = 8_000;
const SCORE_FULL = 10_000;
/** Lower scores count as this one. */
export const SCORE_MIN = 1_000;

/** Proven periods that everybody is credited with, so that one miss of a newcomer is not half of its life. */
export const PROVEN_CREDIT = 24;
/** A share of misses that costs nothing: restarts. */
export const MISSED_FREE = 0.02;
/** Each further percent that was missed adds ten percent to the price. */
export const MISSED_WEIGHT = 10;

/** So many times slower than the median costs nothing. */
export const SLOW_FREE = 2;
export const SLOW_FACTOR_MAX = 3;
/** Added to latencies before they are compared: below it distance is noise. */
export const LATENCY_FLOOR_MS = 100;

/** Effective prices this near to each other are equal: 10 %. */
export const BAND = 1.1;

/** Medians of the providers among whom is chosen; missing where nothing was measured. */
export interface Medians {
  readonly sent?: number | undefined;
  readonly read?: number | undefined;
  readonly latencyMs: number;
}

export function mediansOf(all: readonly Judged[]): Medians {
  return {
    sent: medianOf(all.map(({ served }) => served?.sentBytesPerSecond)),
    read: medianOf(all.map(({ served }) => served?.readBytesPerSecond)),
    latencyMs: medianOf(all.map(({ latencyMs }) => latencyMs)) ?? 0,
  };
}

/** The upper one of two; nothing of nothing. */
export function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return known[known.length >> 1];
}

/** A slot is thought to be read once in so many periods: a month of hours. */
export const PERIODS_PER_READ = 720;

/** What a slot costs its owner in a period, reads included, in wei. */
export function costPerPeriod({ payPerPeriodWei, readWei }: { readonly payPerPeriodWei: bigint; readonly readWei: bigint }): number {
  return Number(payPerPeriodWei) + Number(readWei) / PERIODS_PER_READ;
}

/** By how much a provider's price is raised before it is compared: 1 for a good one. */
export function factorOf(judged: Judged, medians: Medians): number {
  return scoreFactor(judged.standing) * missedFactor(judged.standing) * slowFactor(judged, medians);
}

/** What a read that is served well costs. */
function scoreFactor({ score }: Standing): number {
  return SCORE_FULL / Math.max(SCORE_MIN, score?.score ?? SCORE_UNKNOWN);
}

function missedFactor({ provenPeriods, missedPeriods }: Standing): number {
  const missedShare = missedPeriods / (missedPeriods + provenPeriods + PROVEN_CREDIT);
  return 1 + MISSED_WEIGHT * Math.max(0, missedShare - MISSED_FREE);
}

/** By the worst of what was measured: whoever is quick to take and slow to give back is slow. */
function slowFactor({ served, latencyMs }: Judged, medians: Medians): number {
  const slower = [
    timesSlower(medians.sent, served?.sentBytesPerSecond),
    timesSlower(medians.read, served?.readBytesPerSecond),
    (latencyMs + LATENCY_FLOOR_MS) / (medians.latencyMs + LATENCY_FLOOR_MS),
  ];
  return Math.min(SLOW_FACTOR_MAX, Math.max(1, Math.max(...slower) / SLOW_FREE));
}

function timesSlower(median: number | undefined, own: number | undefined): number {
  return median === undefined || own === undefined ? 1 : median / Math.max(1, own);
}

/** Prices of one band are equal. @param from the lowest of those compared */
export function bandOf(price: number, from: number): number {
  return Math.floor(Math.log(Math.max(1, price) / Math.max(1, from)) / Math.log(BAND) + 1e-9);
}

/**
 * A draw that the smallest number wins, each provider in proportion to its weight (Efraimidis and Spirakis, weighted sampling without
 * replacement). It hangs on seed and provider alone, so it is the same in whatever order they are looked at.
 */
export function drawOf(seed: Uint8Array, providerId: number, weight: number): number {
  const input = new Uint8Array(seed.length + 4);
  input.set(seed);
  new DataView(input.buffer).setUint32(seed.length, providerId);
  const digest = new DataView(sha256(input).buffer);
  const uniform = (digest.getUint32(0) * 2 ** 20 + (digest.getUint32(4) >>> 12) + 0.5) / 2 ** 52;
  return -Math.log(uniform) / Math.max(1, weight);
}
