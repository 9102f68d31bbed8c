/**
 * What a verifier's probes of one provider make of it: a score of 0 (useless) to 10000 (flawless). docs/protocol/verifiers.md, "Measuring".
 *
 * score = 10000 x availability x (0.6 + 0.2 x latency + 0.2 x throughput), each from 0 to 1, rounded down.
 * availability: share of the probes that were served whole and true; a false answer weighs as four failures.
 * latency: of the median time until the first verified byte, 1 up to 250 ms, 0 from 3 s on, linear between.
 * throughput: of the median rate after that byte, 1 from 2 MiB/s on, 0 up to 64 KiB/s, linear in the logarithm between.
 *
 * A slow provider that always serves gets 6000, above the threshold of what users would call broken; one that is fast and fails every
 * second time gets 5000; nothing makes up for failing.
 */
import { SCORE_MAX } from "@ppio/core";

export type Outcome = "served" | "failed" | "false";

/** One read that a customer might have made. */
export interface Measurement {
  readonly providerId: number;
  /** Unix milliseconds. */
  readonly at: number;
  readonly outcome: Outcome;
  /** Of a served one: until the head was there and verified. */
  readonly firstByteMs: number;
  /** Of a served one: for the bytes that came after it. */
  readonly bodyMs: number;
  readonly bytes: number;
}

export const FALSE_WEIGHT = 4;
/** Fewer probes say too little; the provider is left out of the report. */
export const PROBES_MIN = 3;
const LATENCY_GOOD_MS = 250;
const LATENCY_BAD_MS = 3_000;
const RATE_GOOD = 2 * 1024 * 1024;
const RATE_BAD = 64 * 1024;
const [BASE, PER_LATENCY, PER_THROUGHPUT] = [6, 2, 2];
const TENTHS = 10;

/** Nothing when there are fewer than `PROBES_MIN` measurements. All of one provider. */
export function scoreOf(measurements: readonly Measurement[]): number | undefined {
  if (measurements.length < PROBES_MIN) return undefined;
  const served = measurements.filter(({ outcome }) => outcome === "served");
  const weights = measurements.reduce((sum, { outcome }) => sum + (outcome === "false" ? FALSE_WEIGHT : 1), 0);
  if (served.length === 0) return 0;
  const latency = latencyGrade(median(served.map(({ firstByteMs }) => firstByteMs)));
  const throughput = throughputGrade(median(served.map(rateOf)));
  const quality = (BASE + PER_LATENCY * latency + PER_THROUGHPUT * throughput) / TENTHS;
  return Math.min(SCORE_MAX, Math.floor((SCORE_MAX * served.length * quality) / weights));
}

/** Bytes per second; what came with the head came at any rate. */
function rateOf({ bytes, bodyMs }: Measurement): number {
  return bodyMs <= 0 ? Number.POSITIVE_INFINITY : (bytes * 1000) / bodyMs;
}

export function latencyGrade(ms: number): number {
  return clamp((LATENCY_BAD_MS - ms) / (LATENCY_BAD_MS - LATENCY_GOOD_MS));
}

export function throughputGrade(bytesPerSecond: number): number {
  return bytesPerSecond === Number.POSITIVE_INFINITY ? 1 : clamp(Math.log(bytesPerSecond / RATE_BAD) / Math.log(RATE_GOOD / RATE_BAD));
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** Of an even number the mean of the middle two. Not for an empty list. */
function median(values: readonly number[]): number {
  const ascending = [...values].sort((a, b) => a - b);
  const half = Math.floor(ascending.length / 2);
  const upper = ascending[half] ?? 0;
  return ascending.length % 2 === 1 ? upper : ((ascending[half - 1] ?? 0) + upper) / 2;
}
