/**
 * Caps on what comes in and goes out, and the hours in which they hold: a bucket of tokens per direction that fills at the cap's rate and
 * holds a second's worth, so that a small request passes at once and many or large ones are spread. Only what was authorised takes from it.
 * Proofs go to the chain and do not pass here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { PpioError } from "@ppio/core";
import type { ProviderConfig } from "../options.ts";

/** A caller that would have to wait longer is sent away. */
const WAIT_MAX_MS = 20_000;
const MS_PER_DAY = 86_400_000;
const MS_PER_MINUTE = 60_000;

export interface TokenBucketOptions {
  /** 0 for no cap. */
  readonly bytesPerSecond: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
  /** Whether the cap holds now. */
  readonly isCapped?: () => boolean;
}

export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #tokens: number;
  #at: number;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
    this.#tokens = options.bytesPerSecond;
    this.#at = options.now();
  }

  /**
   * Resolves once `bytes` may pass. They are taken at once and may leave a debt, so that those who come later wait longer, each in turn.
   * @throws REFUSED when the wait would be too long
   */
  async take(bytes: number): Promise<void> {
    const { bytesPerSecond, now, wait, isCapped = () => true } = this.#options;
    if (bytesPerSecond === 0 || !isCapped()) return;
    const time = now();
    this.#tokens = Math.min(bytesPerSecond, this.#tokens + (Math.max(0, time - this.#at) * bytesPerSecond) / 1000);
    this.#at = time;
    // Before the bytes are taken: what is larger than the bucket still passes, after those before it.
    const waitMs = this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / bytesPerSecond;
    if (waitMs > WAIT_MAX_MS) throw new PpioError("REFUSED", "This provider's line is full; use another one or try again later.");
    this.#tokens -= bytes;
    if (waitMs > 0) await wait(waitMs);
  }

  /** Bytes that have passed already. */
  owe(bytes: number): void {
    this.#tokens -= bytes;
  }
}

/** Seen from this machine: upload is what it sends, download what it takes in. */
export interface Bandwidth {
  readonly upload: TokenBucket;
  readonly download: TokenBucket;
}

export interface BandwidthOptions {
  readonly config: Pick<ProviderConfig, "uploadBytesPerSecond" | "downloadBytesPerSecond" | "hours">;
  readonly now: () => number;
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** @throws CONFIG */
export function createBandwidth({ config, now, wait = sleep }: BandwidthOptions): Bandwidth {
  const hours = parseHours(config.hours);
  const isCapped = (): boolean => hours === undefined || isWithin(hours, now());
  const bucket = (bytesPerSecond: number): TokenBucket => new TokenBucket({ bytesPerSecond, now, wait, isCapped });
  return { upload: bucket(config.uploadBytesPerSecond), download: bucket(config.downloadBytesPerSecond) };
}

/** Minutes of the day [from, to), in UTC; over midnight when `to` is before `from`. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

/** `22:00-06:30`; empty for the whole day. @throws CONFIG */
export function parseHours(text: string): Hours | undefined {
  if (text === "") return undefined;
  const match = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (match === null) throw new PpioError("CONFIG", `"hours" is "${text}", but must be a time of the day in UTC such as 22:00-06:30.`);
  const [, fromHour, fromMinute, toHour, toMinute] = match.map(Number);
  return { from: (fromHour ?? 0) * 60 + (fromMinute ?? 0), to: (toHour ?? 0) * 60 + (toMinute ?? 0) };
}

export function isWithin({ from, to }: Hours, nowMs: number): boolean {
  const minute = Math.floor((nowMs % MS_PER_DAY) / MS_PER_MINUTE);
  return from <= to ? from <= minute && minute < to : minute >= from || minute < to;
}
