/**
 * Time in which this process was awake, for judging others by. A machine that slept, or had no processor time to give, would otherwise take
 * every provider for late that had an answer on its way meanwhile, and leave them all.
 */
import type { Clock } from "../deps.ts";

export interface AwakeClock {
  /** Milliseconds; they do not go on for longer than two ticks' time after a tick. */
  nowMs(): number;
  /** To be called once in every tick's time. */
  tick(): void;
}

const TICKS_MAX = 2;

export function createAwakeClock(clock: Pick<Clock, "nowMs">, tickMs: number): AwakeClock {
  let awakeMs = 0;
  let tickedMs = clock.nowMs();
  // A clock that was put back stands still.
  const sinceTick = (nowMs: number): number => Math.max(0, Math.min(nowMs - tickedMs, TICKS_MAX * tickMs));
  return {
    nowMs: () => awakeMs + sinceTick(clock.nowMs()),
    tick: () => {
      const nowMs = clock.nowMs();
      awakeMs += sinceTick(nowMs);
      tickedMs = nowMs;
    },
  };
}
