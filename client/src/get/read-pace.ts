/** How long reads take at present. Shared by all reads of a client, so that the first batch of the next one is judged by those before. */
import type { ClientLimits } from "../limits.ts";

export interface ReadPace {
  /** A read of `bytes` ended. */
  took(providerId: number, bytes: number, ms: number): void;
  /** After so many milliseconds a read of `bytes` is later than nearly all that were timed. */
  lateAfterMs(bytes: number): number;
  /** After so many milliseconds it is later than its provider's own usual reads; 0 for one that was never read from. */
  ownLateAfterMs(providerId: number, bytes: number): number;
}

const TIMINGS_MIN = 4;
const TIMINGS_MAX = 64;
/** Of one provider. */
const OWN_TIMINGS_MAX = 4;
const LATE_QUANTILE = 0.95;
/** Later than this many times the quantile is late. */
const LATE_FACTOR = 2;
/** Nobody is late before: so long may any process be held up. */
export const PATIENCE_MIN_MS = 30;

interface Timing {
  readonly bytes: number;
  readonly ms: number;
}

export function createReadPace({ hedgeMs }: Pick<ClientLimits, "hedgeMs">): ReadPace {
  const timings: Timing[] = [];
  const own = new Map<number, Timing[]>();
  return {
    took(providerId, bytes, ms) {
      const its = own.get(providerId) ?? [];
      own.set(providerId, its);
      for (const [kept, max] of [
        [timings, TIMINGS_MAX],
        [its, OWN_TIMINGS_MAX],
      ] as const) {
        kept.push({ bytes, ms });
        if (kept.length > max) kept.shift();
      }
    },
    lateAfterMs(bytes) {
      if (timings.length < TIMINGS_MIN) return hedgeMs;
      const expected = timings.map((timing) => scaled(timing, bytes)).sort((a, b) => a - b);
      return Math.max(PATIENCE_MIN_MS, LATE_FACTOR * (expected[Math.floor(expected.length * LATE_QUANTILE)] ?? hedgeMs));
    },
    ownLateAfterMs(providerId, bytes) {
      const its = own.get(providerId) ?? [];
      // The shortest: the others may have waited for what was asked before them.
      return its.length === 0 ? 0 : LATE_FACTOR * Math.min(...its.map((timing) => scaled(timing, bytes)));
    },
  };
}

/** A larger read takes in proportion longer at most; a smaller one may take as long. */
function scaled(timing: Timing, bytes: number): number {
  return timing.ms * Math.max(1, bytes / Math.max(1, timing.bytes));
}
