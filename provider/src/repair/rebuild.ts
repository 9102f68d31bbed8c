/**
 * Reads k, codes m, hands on m, a few rows at a time: what lies in memory is bounded whatever the size, and every byte is read once. Goes on
 * where those who take the slots say.
 */
import { createErasureCoder, type DealHeader, PpioError, slotBytes, UNIT_BYTES } from "@ppio/core";
import type { Logger } from "@ppio/daemon";
import type { Pace } from "./pace.ts";
import type { Sources } from "./sources.ts";
import type { Target } from "./target.ts";

/** Of all slots of a step together. */
const BUFFER_BYTES = 8 << 20;
/** Of a slot in one step: a request is no larger. */
const STEP_BYTES_MAX = 1 << 20;
/** Before one can say how fast it goes. */
const MEASURED_AFTER_MS = 5_000;

export interface RebuildOptions {
  readonly header: DealHeader;
  readonly sources: Sources;
  readonly targets: readonly Target[];
  readonly pace: Pace;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** When it must be done. */
  readonly deadlineMs: number;
}

/** Bytes of each slot in a step: whole cells, or a part of one that divides it. */
export function stepBytesOf({ k, cellBytes }: DealHeader, targets: number): number {
  const share = Math.min(STEP_BYTES_MAX, Math.floor(BUFFER_BYTES / (k + targets)));
  if (share >= cellBytes) return Math.floor(share / cellBytes) * cellBytes;
  return Math.max(UNIT_BYTES, 2 ** Math.floor(Math.log2(share)));
}

/**
 * Fills the targets. One that fails is left behind, so that the others do not wait for it nor anything is read again.
 * @returns those that have all bytes
 * @throws UNRECOVERABLE, TIMEOUT when the reservation would be over before the end, REFUSED when no target is left, CANCELLED
 */
export async function rebuild(options: RebuildOptions, signal: AbortSignal): Promise<Target[]> {
  const { header, sources, pace, now, deadlineMs } = options;
  const coder = createErasureCoder(header);
  const total = slotBytes(header);
  const { received, failures, without } = await openAll(options, signal);
  let alive = without(options.targets);
  const stepBytes = stepBytesOf(header, alive.length);
  const behind = Math.min(total, ...alive.map((target) => received.get(target) ?? 0));
  const start = behind === total ? total : Math.floor(behind / stepBytes) * stepBytes;
  const startedMs = now();
  requireOne(alive, failures);
  for (let offset = start; offset < total; ) {
    const length = Math.min(stepBytes, total - offset);
    await pace.take(length * Math.max(header.k, alive.length), signal);
    const have = await sources.read(offset, length, signal);
    const want = new Map(alive.map((target) => [target.slot.slotIndex, new Uint8Array(length)]));
    coder.reconstruct(have, want);
    await Promise.all(
      alive.map(async (target) => {
        try {
          await target.put(offset, want.get(target.slot.slotIndex) ?? new Uint8Array(), signal);
        } catch (error) {
          fail(options, failures, target, error, signal);
        }
      }),
    );
    alive = without(alive);
    requireOne(alive, failures);
    offset += length;
    checkTime(now, startedMs, deadlineMs, (total - offset) / (offset - start));
  }
  return alive;
}

function requireOne(alive: readonly Target[], failures: ReadonlyMap<Target, string>): void {
  if (alive.length > 0) return;
  throw new PpioError("REFUSED", `Nobody takes the rebuilt slots: ${[...failures.values()].join("; ")}.`);
}

interface Opened {
  readonly received: ReadonlyMap<Target, number>;
  readonly failures: Map<Target, string>;
  /** Those that have not failed. */
  readonly without: (targets: readonly Target[]) => Target[];
}

async function openAll(options: RebuildOptions, signal: AbortSignal): Promise<Opened> {
  const received = new Map<Target, number>();
  const failures = new Map<Target, string>();
  await Promise.all(
    options.targets.map(async (target) => {
      try {
        received.set(target, await target.open(signal));
      } catch (error) {
        fail(options, failures, target, error, signal);
      }
    }),
  );
  return { received, failures, without: (targets) => targets.filter((target) => !failures.has(target)) };
}

function fail({ log }: RebuildOptions, failures: Map<Target, string>, target: Target, error: unknown, signal: AbortSignal): void {
  if (signal.aborted) throw new PpioError("CANCELLED", "The repair was stopped.", { cause: error });
  const reason = error instanceof Error ? error.message : String(error);
  failures.set(target, reason);
  log.warn("a rebuilt slot was not taken", { slotIndex: target.slot.slotIndex, providerId: target.providerId, reason });
}

/** The bond falls by time: what cannot be done in time is given up early. */
function checkTime(now: () => number, startedMs: number, deadlineMs: number, left: number): void {
  const tookMs = now() - startedMs;
  if (tookMs < MEASURED_AFTER_MS || now() + tookMs * left <= deadlineMs) return;
  throw new PpioError("TIMEOUT", "The slots cannot be rebuilt before the reservation ends; it is given up early.");
}
