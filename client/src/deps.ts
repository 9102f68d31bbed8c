/**
 * What the library is given instead of reaching for it: time, randomness and a log. Defaults work in Node and in browsers.
 */
import { PpioError } from "@ppio/core";

export interface Clock {
  /** Unix milliseconds. */
  nowMs(): number;
  /** Resolves after `ms`; rejects with `CANCELLED` as soon as `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Cryptographically strong random bytes. */
export type Random = (lengthBytes: number) => Uint8Array;

/** Structured log; never gets secrets, plaintext or names. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Incremental SHA-256; a faster one than the default may be passed in. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

export function cancelled(cause?: unknown): PpioError {
  return new PpioError("CANCELLED", "The operation was cancelled.", { cause });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal.reason);
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(cancelled(signal.reason));
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason instanceof PpioError ? signal.reason : cancelled(signal?.reason));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

export const systemRandom: Random = (lengthBytes) => crypto.getRandomValues(new Uint8Array(lengthBytes));

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {} };

/** Stops a timer that nobody waits for any more. One for all: to make an error takes longer than to start a timer. */
export const NOT_NEEDED = new PpioError("CANCELLED", "Nobody waits for this any more.");

/** How often a deadline that may come nearer is looked at. */
const DEADLINE_LOOK_MS = 25;

/**
 * Runs `work` with a signal that is aborted by `signal` or after `ms`; a run that is too long fails with `TIMEOUT` even when
 * `work` ignores its signal. Milliseconds that are a function's may become fewer while it runs.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number | (() => number),
  signal: AbortSignal | undefined,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  const inner = new AbortController();
  const timer = new AbortController();
  const onAbort = (): void => inner.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const late = sleepUntilDue(clock, ms, timer.signal).then(
    (msMax) => {
      const error = new PpioError("TIMEOUT", `${what} took longer than ${msMax} ms.`);
      inner.abort(error);
      throw error;
    },
    () => new Promise<never>(() => {}),
  );
  const stopped = new Promise<never>((_, reject) => {
    inner.signal.addEventListener("abort", () => reject(inner.signal.reason instanceof PpioError ? inner.signal.reason : cancelled()), {
      once: true,
    });
  });
  try {
    return await Promise.race([work(inner.signal), late, stopped]);
  } finally {
    timer.abort(NOT_NEEDED);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Resolves with the milliseconds that were waited for. */
async function sleepUntilDue(clock: Clock, ms: number | (() => number), signal: AbortSignal): Promise<number> {
  if (typeof ms === "number") {
    await clock.sleep(ms, signal);
    return ms;
  }
  for (const startedMs = clock.nowMs(); ; ) {
    const msMax = Math.round(ms());
    const leftMs = startedMs + msMax - clock.nowMs();
    // What arrived while this process was held up comes first.
    if (leftMs <= 0) await clock.sleep(1, signal);
    if (startedMs + ms() <= clock.nowMs()) return msMax;
    await clock.sleep(Math.max(1, Math.min(leftMs, DEADLINE_LOOK_MS)), signal);
  }
}

/** Runs `work` over `items`, at most `concurrency` at a time; results in order. The first failure stops the rest. */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  concurrency: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next; index < items.length; index = next) {
      next += 1;
      results[index] = await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane));
  return results;
}
