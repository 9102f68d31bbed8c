/** Finds the providers of a put that hold the others up, and makes room for spares. */
import type { AwakeClock } from "./awake-clock.ts";
import type { Crew, Runner } from "./crew.ts";
import { isBehind, isStuck, type Pace } from "./pace.ts";

export interface Race {
  readonly crew: Crew;
  readonly clock: AwakeClock;
  readonly lateMs: number;
  /** Batches of a slot. */
  readonly stepsTotal: number;
  /** Of a batch. */
  readonly pace: Pace;
  /** Of a signature. */
  readonly signingPace: Pace;
}

const ORDER = ["opening", "open", "sending", "sent", "signing"] as const;

/** Has spares for providers that are late, as far as there are any. */
export function replaceLate(race: Race): void {
  const { crew } = race;
  let { spares } = crew;
  for (const runner of crew.runners()) {
    if (spares === 0) return;
    if (!isLate(race, runner)) continue;
    spares -= 1;
    // Waiting for an offer costs nothing: the first of the two wins.
    if (runner.state === "signing") runner.slot.isStuck = true;
    else crew.leave(runner);
  }
}

/** Whether half of the others are ahead of a provider and do not stand still themselves, and a spare is expected to be faster. */
function isLate({ crew, clock, lateMs, stepsTotal, pace, signingPace }: Race, runner: Runner): boolean {
  const { slot, state, sinceMs, batchesDone, busyMs } = runner;
  if (sinceMs === undefined || slot.offer !== undefined || slot.isStuck) return false;
  const nowMs = clock.nowMs();
  const isWellAhead = (one: Runner): boolean => isAhead(one, runner) && nowMs - (one.sinceMs ?? nowMs) < lateMs;
  const ahead = crew.slots.filter((other) => other !== slot && (other.offer !== undefined || [...other.runners].some(isWellAhead)));
  if (2 * ahead.length < crew.slots.length) return false;
  const elapsedMs = nowMs - sinceMs;
  if (state === "opening") return elapsedMs > lateMs;
  const paceMs = pace.medianMs() ?? 0;
  if (state === "sending") return isBehind({ elapsedMs, busyMs, stepsDone: batchesDone, stepsTotal }, paceMs, lateMs);
  return isStuck(elapsedMs, signingPace.medianMs() ?? 0, paceMs * stepsTotal, lateMs);
}

function isAhead(one: Runner, other: Runner): boolean {
  if (one.state === "sending" && other.state === "sending") return one.batchesDone > other.batchesDone;
  return ORDER.indexOf(one.state) > ORDER.indexOf(other.state);
}
