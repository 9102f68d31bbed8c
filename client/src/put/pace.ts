/**
 * Who holds the others up. A slot's provider is late when it has stood still for a while, or has been slow all along, and a spare that
 * begins with the first byte is expected to be done well before it.
 */

/** A spare must promise to be so many times faster: what was sent already is sent again. */
const LATE_FACTOR = 4;
/** Steps that a slow provider has taken before it is judged by its mean. */
const STEPS_TO_JUDGE = 4;
/** The newest times count. */
const SAMPLES_MAX = 64;

/** Durations of the same step at all providers. */
export interface Pace {
  note(ms: number): void;
  /** Nothing before anybody has taken a step. */
  medianMs(): number | undefined;
}

export function createPace(): Pace {
  const samples: number[] = [];
  return {
    note(ms) {
      samples.push(ms);
      if (samples.length > SAMPLES_MAX) samples.shift();
    },
    medianMs: () => [...samples].sort((a, b) => a - b)[samples.length >> 1],
  };
}

export interface Walker {
  /** In the step that it is at. */
  readonly elapsedMs: number;
  /** In all steps before. */
  readonly busyMs: number;
  readonly stepsDone: number;
  readonly stepsTotal: number;
}

/** Whether a spare that walks at `paceMs` from the start would arrive well before `walker`. @param lateMs shorter pauses are none */
export function isBehind(walker: Walker, paceMs: number, lateMs: number): boolean {
  const { elapsedMs, busyMs, stepsDone, stepsTotal } = walker;
  const meanMs = stepsDone < STEPS_TO_JUDGE ? 0 : busyMs / stepsDone;
  const stepMs = elapsedMs > lateMs ? Math.max(elapsedMs, meanMs) : meanMs;
  const leftMs = stepMs * (stepsTotal - stepsDone);
  return leftMs > lateMs && leftMs > LATE_FACTOR * paceMs * stepsTotal;
}

/** Whether a last step of one piece has taken so long that a spare would have walked the whole way meanwhile. */
export function isStuck(elapsedMs: number, paceMs: number, wayMs: number, lateMs: number): boolean {
  return elapsedMs > lateMs && elapsedMs > LATE_FACTOR * paceMs && elapsedMs > wayMs;
}
