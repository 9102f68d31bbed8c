/** How long reads take at present. Shared by all reads of a client, so that the first batch of the next one is judged by those before. */
import type { ClientLimits } from "../limits.ts";

export interface ReadPace {
  /** A read of `bytes` ended. */
  took(bytes: number, ms: number): void;
  /** After so many milliseconds a read of `bytes` is later than nearly all that were timed. */
  lateAfterMs(bytes: number): number;
}

const TIMINGS_MIN = 4;
const TIMINGS_MAX = 64;
const LATE_QUANTILE = 0.95;
/** Later than this many times the quantile is late. */
const LATE_FACTOR = 2;
/** Nobody is late before: so long may any process be held up. */
export const PATIENCE_MIN_MS = 30;

export function createReadPace({ hedgeMs }: Pick<ClientLimits, "hedgeMs">): ReadPace {
  const timings: { readonly bytes: number; readonly ms: number }[] = [];
  return {
    took(bytes, ms) {
      timings.push({ bytes, ms });
      if (timings.length > TIMINGS_MAX) timings.shift();
    },
    lateAfterMs(bytes) {
      if (timings.length < TIMINGS_MIN) return hedgeMs;
      // A larger read takes in proportion longer at most; a smaller one may take as long.
      const expected = timings.map((timing) => timing.ms * Math.max(1, bytes / Math.max(1, timing.bytes))).sort((a, b) => a - b);
      return Math.max(PATIENCE_MIN_MS, LATE_FACTOR * (expected[Math.floor(expected.length * LATE_QUANTILE)] ?? hedgeMs));
    },
  };
}
