/**
 * One batch of rows. Asks the wanted slots first; whatever fails, lies or is late is replaced by a spare slot, out of which the missing
 * cells can be rebuilt, and who comes first is taken.
 */
import { cellLength, type DealHeader, isTransient, PpioError } from "@ppio/core";
import { type Clock, NOT_NEEDED, throwIfAborted, withDeadline } from "../deps.ts";
import { transferMs } from "../limits.ts";
import { PATIENCE_MIN_MS } from "./read-pace.ts";
import type { Room } from "./room.ts";
import type { RowReaderOptions } from "./row-reader.ts";

export interface SlotState {
  readonly slotIndex: number;
  failure?: PpioError;
  lied: boolean;
}

export interface RaceContext extends RowReaderOptions {
  readonly states: readonly SlotState[];
  /** Wake the deal's batches that are read now. */
  readonly wakes: Set<() => void>;
}

export interface RowRequest {
  readonly firstRow: number;
  readonly rowCount: number;
  readonly want: readonly number[];
}

interface RunningRead {
  readonly startedMs: number;
  /** Of a slot that was behind when it was asked, because others are missing. */
  readonly isLastChoice: boolean;
  /** It is not late before. */
  readonly ownMs: number;
  late: boolean;
}

/** How far a batch has come. */
interface Progress {
  /** After so many milliseconds its reads are late by those before. */
  readonly usualMs: number;
  readonly running: ReadonlyMap<number, RunningRead>;
  endedCount: number;
  /** The longest that one of those that ended took. */
  longestMs: number;
  /** When the last one began, ended, or was late. */
  lastMs: number;
}

/** Resolves with enough slots, or with nothing when too few are left. Their cells lie in the reader's room. */
export async function raceRows(
  context: RaceContext,
  request: RowRequest,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, Uint8Array> | undefined> {
  const { header, states, clock, pace, stragglers, providerOf, lastResort } = context;
  const { want } = request;
  const length = batchLength(header, request);
  const have = new Map<number, Uint8Array>();
  const running = new Map<number, RunningRead>();
  const stop = new AbortController();
  const progress: Progress = { usualMs: pace.lateAfterMs(length), running, endedCount: 0, longestMs: 0, lastMs: clock.nowMs() };
  let resolveWoken = (): void => {};
  const wake = (): void => resolveWoken();
  let isDue = false;
  const alarm = createAlarm(clock, () => {
    isDue = true;
    wake();
  });
  const onAbort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });

  const isBehind = ({ slotIndex }: SlotState): boolean => lastResort?.has(slotIndex) === true || stragglers.isBehind(providerOf(slotIndex));
  const start = (state: SlotState): void => {
    const startedMs = clock.nowMs();
    progress.lastMs = startedMs;
    const isLastChoice = isBehind(state);
    running.set(state.slotIndex, {
      startedMs,
      isLastChoice,
      ownMs: isLastChoice ? progress.usualMs : ownMsOf(context, length, state.slotIndex),
      late: false,
    });
    void readOne(context, state, request, length, stop.signal).then((bytes) => {
      running.delete(state.slotIndex);
      progress.lastMs = clock.nowMs();
      if (bytes !== undefined && stop.signal.aborted) context.room.give(bytes);
      else if (bytes !== undefined) {
        const ms = progress.lastMs - startedMs;
        have.set(state.slotIndex, bytes);
        progress.endedCount += 1;
        progress.longestMs = Math.max(progress.longestMs, ms);
        pace.took(providerOf(state.slotIndex), length, ms);
        stragglers.served(providerOf(state.slotIndex));
      }
      wake();
    });
  };
  const usable = (state: SlotState): boolean => state.failure === undefined && !have.has(state.slotIndex) && !running.has(state.slotIndex);
  /** Wanted slots alone, while they are well; otherwise enough that k slots can arrive, and one more where somebody is late already. */
  const fillUp = (): void => {
    // Another batch may have found out.
    for (const [slotIndex, entry] of running) if (!entry.isLastChoice && stragglers.isBehind(providerOf(slotIndex))) entry.late = true;
    const wanted = want.filter((slot) => !have.has(slot));
    for (const slot of wanted) {
      const state = states.find((candidate) => candidate.slotIndex === slot);
      if (state !== undefined && usable(state) && !isBehind(state)) start(state);
    }
    if (wanted.every((slot) => running.get(slot)?.late === false)) return;
    const rank = (state: SlotState): number => (isBehind(state) ? 2 : 0) + (want.includes(state.slotIndex) ? 0 : 1);
    const spares = states.filter(usable).sort((a, b) => rank(a) - rank(b));
    const coming = [...running.values()].filter((entry) => !entry.late).length;
    const missing = header.k - have.size - coming;
    if (missing <= 0) return;
    for (const spare of spares.slice(0, missing + (running.size > coming ? 1 : 0))) start(spare);
  };

  context.wakes.add(wake);
  try {
    for (;;) {
      throwIfAborted(signal);
      if (want.every((slot) => have.has(slot))) return only(want, have, context.room);
      if (have.size >= header.k) return have;
      const woken = new Promise<void>((resolve) => {
        resolveWoken = resolve;
      });
      if (isDue) noteLate(context, progress);
      isDue = false;
      fillUp();
      if (running.size === 0) return undefined;
      alarm.set(nextDueMs(progress));
      await woken;
    }
  } finally {
    alarm.stop();
    context.wakes.delete(wake);
    signal?.removeEventListener("abort", onAbort);
    for (const [slotIndex, { late, startedMs }] of running) if (late) context.onOvertaken?.(slotIndex, clock.nowMs() - startedMs);
    stop.abort(NOT_NEEDED);
  }
}

/**
 * When a read is late, if nothing ends until then. Reads of a batch are alike, so once most have ended, who takes twice as long as any of
 * them is late; until then it is the reads before that tell.
 */
function lateAtMs({ usualMs, running, endedCount, longestMs, lastMs }: Progress): (read: RunningRead) => number {
  let onTimeCount = 0;
  for (const { late } of running.values()) if (!late) onTimeCount += 1;
  const isMostIn = endedCount > 0 && endedCount >= onTimeCount;
  const batchMs = lastMs + (isMostIn ? Math.max(PATIENCE_MIN_MS, longestMs) : usualMs);
  return ({ startedMs, ownMs }) => Math.max(batchMs, startedMs + ownMs);
}

/** When the next read is late; never when all of them are. */
function nextDueMs(progress: Progress): number {
  const dueOf = lateAtMs(progress);
  let nextMs = Number.POSITIVE_INFINITY;
  for (const read of progress.running.values()) if (!read.late) nextMs = Math.min(nextMs, dueOf(read));
  return nextMs;
}

/** Notes the reads that are late now, and tells the other batches. */
function noteLate({ clock, stragglers, providerOf, wakes }: RaceContext, progress: Progress): void {
  const nowMs = clock.nowMs();
  const dueOf = lateAtMs(progress);
  const late = [...progress.running].filter(([, read]) => !read.late && dueOf(read) <= nowMs);
  if (late.length === 0) return;
  for (const [slotIndex, read] of late) {
    read.late = true;
    stragglers.late(providerOf(slotIndex));
  }
  progress.lastMs = nowMs;
  for (const wake of wakes) wake();
}

/** In its own usual time nobody is late, and who comes back is given the time to connect anew: four round trips instead of one. */
function ownMsOf({ pace, stragglers, providerOf }: RaceContext, length: number, slotIndex: number): number {
  const providerId = providerOf(slotIndex);
  const ownMs = pace.ownLateAfterMs(providerId, length);
  return stragglers.isReturning(providerId) ? 2 * ownMs + PATIENCE_MIN_MS : ownMs;
}

/** Rings at a time; set again and again, it is one timer as long as the time does not come nearer, and may ring too early. */
function createAlarm(clock: Clock, ring: () => void): { set(atMs: number): void; stop(): void } {
  let setMs = Number.POSITIVE_INFINITY;
  let timer: AbortController | undefined;
  const stop = (): void => timer?.abort(NOT_NEEDED);
  return {
    stop,
    set(atMs) {
      if (atMs >= setMs) return;
      stop();
      timer = new AbortController();
      const { signal } = timer;
      setMs = atMs;
      clock
        .sleep(Math.max(1, atMs - clock.nowMs()), signal)
        // What arrived while this process was held up comes first.
        .then(() => clock.sleep(1, signal))
        .then(
          () => {
            setMs = Number.POSITIVE_INFINITY;
            ring();
          },
          () => undefined,
        );
    },
  };
}

/** Bytes of one slot; nothing when it failed, which is noted in its state, or when it was no longer needed. */
async function readOne(
  context: RaceContext,
  state: SlotState,
  request: RowRequest,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { slotIndex } = state;
  try {
    return await withDeadline(context.clock, transferMs(context.limits, length), signal, `Reading slot ${slotIndex}`, (inner) =>
      context.readCells(slotIndex, request.firstRow, request.rowCount, inner),
    );
  } catch (error) {
    if (signal.aborted) return undefined;
    state.failure = error instanceof PpioError ? error : new PpioError("NETWORK", String(error), { cause: error });
    state.lied = !isTransient(error);
    context.onFailed?.(slotIndex, error);
    context.log.warn("a slot could not be read; another one takes its place", {
      dealId: context.dealId,
      slotIndex,
      providerId: context.providerOf(slotIndex),
      code: state.failure.code,
      reason: state.failure.message,
    });
    return undefined;
  }
}

function only(want: readonly number[], have: ReadonlyMap<number, Uint8Array>, room: Room): ReadonlyMap<number, Uint8Array> {
  for (const [slot, bytes] of have) if (!want.includes(slot)) room.give(bytes);
  return new Map([...have].filter(([slot]) => want.includes(slot)));
}

function batchLength(header: DealHeader, { firstRow, rowCount }: RowRequest): number {
  return (rowCount - 1) * header.cellBytes + cellLength(header, firstRow + rowCount - 1);
}
