/**
 * What this client has seen of a provider: how fast it was, and until when it is not chosen again because it failed. Pure; the times that
 * count are the client's own.
 */
import { type ErrorCode, PpioError } from "@ppio/core";

/** Refused: it said no. Stalled: it let a deadline pass. Vanished: the connection failed. Lied: what it sent or signed was false. */
export type FailureKind = "refused" | "stalled" | "vanished" | "lied";

export interface ServiceRecord {
  /** Unix milliseconds of what was seen last. */
  readonly seenAtMs: number;
  /** Until its answer began. Measured figures are exponentially weighted means, one sample per operation. */
  readonly latencyMs?: number;
  /** At which it took what was sent. */
  readonly sentBytesPerSecond?: number;
  readonly readBytesPerSecond?: number;
  /** In a row. */
  readonly failures: number;
  readonly lies: number;
  /** What it is not chosen for again until `untilMs`. */
  readonly failure?: { readonly kind: FailureKind; readonly atMs: number; readonly untilMs: number };
}

/** What was seen of a provider in one operation. */
export interface Noted {
  latencyMs?: number;
  sentBytes: number;
  sentMs: number;
  readBytes: number;
  readMs: number;
  /** Unix milliseconds; 0 when it served nothing. */
  servedAtMs: number;
  failure?: { readonly kind: FailureKind; readonly atMs: number };
}

/** The newest sample's part: the last three operations make two thirds. */
const SAMPLE_WEIGHT = 0.3;
/** Transfers of less are latency. */
const SPEED_BYTES_MIN = 64 << 10;

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** After a failure; doubles with each one in a row. */
export const HOLD_MS = 5 * MINUTE_MS;
export const HOLD_MS_MAX = 12 * 60 * MINUTE_MS;
/** After a lie; doubles with each one. */
export const LIE_HOLD_MS = 7 * DAY_MS;
export const LIE_HOLD_MS_MAX = 28 * DAY_MS;
/** Failures so old, and providers not seen for so long, are forgotten. */
export const FORGET_MS = 60 * DAY_MS;

const KIND_OF_CODE: Readonly<Partial<Record<ErrorCode, FailureKind>>> = {
  CORRUPT: "lied",
  TIMEOUT: "stalled",
  NETWORK: "vanished",
  TRUNCATED: "vanished",
  IO: "vanished",
  REFUSED: "refused",
  BAD_FORMAT: "refused",
};

/** Which kind of failure an error is that came up at a provider; nothing when it is the chain's, the user's or our own. */
export function failureKindOf(error: unknown): FailureKind | undefined {
  if (!(error instanceof PpioError)) return "vanished";
  // One that wants money which is not paid has done nothing wrong.
  if (error.code === "PAYMENT_REQUIRED") return undefined;
  // What a provider admits is no lie.
  return typeof error.details["said"] === "string" ? "refused" : KIND_OF_CODE[error.code];
}

/** Whether a provider is not to be chosen now, unless there are too few others. */
export function isHeld(record: ServiceRecord | undefined, nowMs: number): boolean {
  return record?.failure !== undefined && nowMs < record.failure.untilMs;
}

/** A record with what one operation has shown. */
export function withNoted(record: ServiceRecord | undefined, noted: Noted, nowMs: number): ServiceRecord {
  const before = record === undefined || isStale(record, nowMs) ? undefined : record;
  const sent = noted.sentBytes >= SPEED_BYTES_MIN ? (noted.sentBytes * 1000) / Math.max(1, noted.sentMs) : undefined;
  const read = noted.readBytes >= SPEED_BYTES_MIN ? (noted.readBytes * 1000) / Math.max(1, noted.readMs) : undefined;
  return {
    seenAtMs: nowMs,
    ...given("latencyMs", mean(before?.latencyMs, noted.latencyMs)),
    ...given("sentBytesPerSecond", mean(before?.sentBytesPerSecond, sent)),
    ...given("readBytesPerSecond", mean(before?.readBytesPerSecond, read)),
    ...standing(before, noted),
  };
}

/** Whether a record says nothing any more, or was made by a clock that was wrong. */
export function isStale(record: ServiceRecord, nowMs: number): boolean {
  return nowMs - record.seenAtMs > FORGET_MS || record.seenAtMs - nowMs > DAY_MS;
}

function standing(before: ServiceRecord | undefined, noted: Noted): Pick<ServiceRecord, "failures" | "lies" | "failure"> {
  const { failures = 0, lies = 0, failure } = before ?? {};
  const now = noted.failure;
  if (now === undefined) {
    const isOld = failure !== undefined && noted.servedAtMs - failure.atMs > FORGET_MS;
    if (noted.servedAtMs === 0 || (failure?.kind === "lied" && !isOld)) return { failures, lies, ...given("failure", failure) };
    return { failures: 0, lies: isOld ? 0 : lies };
  }
  const { kind, atMs } = now;
  const isLie = kind === "lied";
  const counts = { failures: failures + 1, lies: lies + (isLie ? 1 : 0) };
  const untilMs = atMs + (isLie ? doubled(LIE_HOLD_MS, counts.lies, LIE_HOLD_MS_MAX) : doubled(HOLD_MS, counts.failures, HOLD_MS_MAX));
  // A lie is not made good by a lesser failure.
  const isLonger = failure === undefined || untilMs >= failure.untilMs;
  return { ...counts, failure: isLonger ? { kind, atMs, untilMs } : failure };
}

function doubled(ms: number, count: number, msMax: number): number {
  return Math.min(msMax, ms * 2 ** (count - 1));
}

function mean(before: number | undefined, sample: number | undefined): number | undefined {
  if (before === undefined || sample === undefined) return sample ?? before;
  return before + SAMPLE_WEIGHT * (sample - before);
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}
