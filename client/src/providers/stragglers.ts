/**
 * Providers that others have overtaken a moment ago. They are asked where others are missing, and waited for less. Forgotten with the process:
 * to be overtaken is no failing.
 */
import type { Clock } from "../deps.ts";

export interface Stragglers {
  /** It has let others wait for it. */
  late(providerId: number): void;
  /** It has served in time. */
  served(providerId: number): void;
  isBehind(providerId: number): boolean;
  /** It was behind, and has not served since. */
  isReturning(providerId: number): boolean;
}

/** So long it is behind; doubles each time, as long as it serves nothing in between. */
const BEHIND_MS = 30_000;
const BEHIND_MS_MAX = 300_000;

interface Lateness {
  readonly times: number;
  readonly untilMs: number;
}

export function createStragglers(clock: Pick<Clock, "nowMs">): Stragglers {
  const behind = new Map<number, Lateness>();
  const isBehind = (providerId: number): boolean => clock.nowMs() < (behind.get(providerId)?.untilMs ?? 0);
  return {
    late(providerId) {
      // Who waits for it at the same time says so at the same time.
      if (isBehind(providerId)) return;
      const times = (behind.get(providerId)?.times ?? 0) + 1;
      behind.set(providerId, { times, untilMs: clock.nowMs() + Math.min(BEHIND_MS_MAX, BEHIND_MS * 2 ** (times - 1)) });
    },
    served: (providerId) => void behind.delete(providerId),
    isBehind,
    isReturning: (providerId) => behind.has(providerId) && !isBehind(providerId),
  };
}
