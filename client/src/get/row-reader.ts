/**
 * Rows of a deal out of any k of its n slots. Asks the wanted slots first; whatever fails, lies or is late is replaced by a spare
 * slot, out of which the missing cells can be rebuilt. A slot that lied is not asked again; one that could not be reached gets another chance
 * only when nothing else is left.
 */
import { cellLength, type DealHeader, isPpioError, isTransient, PpioError } from "@ppio/core";
import { type Clock, type Log, NOT_NEEDED, throwIfAborted, withDeadline } from "../deps.ts";
import { type ClientLimits, transferMs } from "../limits.ts";
import type { Room } from "./room.ts";

/** Cells of one slot, back to back. */
export type ReadSlotCells = (slotIndex: number, firstRow: number, rowCount: number, signal: AbortSignal) => Promise<Uint8Array>;

export interface RowReaderOptions {
  readonly dealId: string;
  readonly header: DealHeader;
  readonly readCells: ReadSlotCells;
  /** Slots in the order in which they are liked; lost ones are left out. */
  readonly slots: readonly number[];
  /** Slots that are asked only when too few others are left. */
  readonly lastResort?: ReadonlySet<number>;
  /** A slot failed, or has let others overtake it until it is not asked first any more. */
  readonly onFailed?: (slotIndex: number, error: unknown) => void;
  readonly onLate?: (slotIndex: number) => void;
  /** Who serves a slot, for messages. */
  readonly providerOf: (slotIndex: number) => number;
  /** Where what was read lies. */
  readonly room: Room;
  readonly limits: ClientLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RowReader {
  /**
   * Cells of rows [firstRow, firstRow + rowCount): of all the wanted slots, or of any k, out of which they can be rebuilt. In memory of
   * the reader's room, for the caller to give back.
   * @throws UNRECOVERABLE
   */
  readRows(firstRow: number, rowCount: number, want: readonly number[], signal?: AbortSignal): Promise<ReadonlyMap<number, Uint8Array>>;
  /** Slots that failed so far, with the reason. */
  failures(): ReadonlyMap<number, PpioError>;
}

const TIMINGS_MIN = 8;
const TIMINGS_MAX = 64;
const HEDGE_MIN_MS = 250;
const SECOND_CHANCES_MAX = 3;
/** A slot that was late so often is not asked first any more. */
const LATE_MAX = 2;

interface SlotState {
  readonly slotIndex: number;
  failure?: PpioError;
  lied: boolean;
  lateCount: number;
}

export function createRowReader(options: RowReaderOptions): RowReader {
  const { limits, clock } = options;
  const states = options.slots.map((slotIndex): SlotState => {
    return { slotIndex, lied: false, lateCount: options.lastResort?.has(slotIndex) === true ? LATE_MAX : 0 };
  });
  const timings: number[] = [];
  let chances = SECOND_CHANCES_MAX;

  const recordTiming = (ms: number): void => {
    timings.push(ms);
    if (timings.length > TIMINGS_MAX) timings.shift();
  };

  /** After this long a read counts as late: twice the 95th percentile of the ones before. */
  const hedgeMs = (): number => {
    if (timings.length < TIMINGS_MIN) return limits.hedgeMs;
    const sorted = [...timings].sort((a, b) => a - b);
    return Math.max(HEDGE_MIN_MS, 2 * (sorted[Math.floor(sorted.length * 0.95)] ?? limits.hedgeMs));
  };

  /** Forgets failures of the wire, so that a short outage of our own network ends no read. */
  const giveSecondChance = (): boolean => {
    const again = states.filter((state) => state.failure !== undefined && !state.lied);
    if (chances === 0 || again.length === 0) return false;
    chances -= 1;
    for (const state of again) delete state.failure;
    return true;
  };

  const readRows: RowReader["readRows"] = async (firstRow, rowCount, want, signal) => {
    for (;;) {
      throwIfAborted(signal);
      const done = await race({ ...options, states, hedgeMs, recordTiming }, { firstRow, rowCount, want }, signal);
      if (done !== undefined) return done;
      if (!giveSecondChance()) throw unrecoverable(options, states);
      await clock.sleep(limits.pauseMs * 2 ** (SECOND_CHANCES_MAX - chances), signal);
    }
  };

  return {
    readRows,
    failures: () => new Map(states.flatMap((state) => (state.failure === undefined ? [] : [[state.slotIndex, state.failure] as const]))),
  };
}

interface RaceContext extends RowReaderOptions {
  readonly states: readonly SlotState[];
  readonly hedgeMs: () => number;
  readonly recordTiming: (ms: number) => void;
}

interface RowRequest {
  readonly firstRow: number;
  readonly rowCount: number;
  readonly want: readonly number[];
}

interface RunningRead {
  late: boolean;
}

/** What wakes a batch that waits: a read that ended, or reads that count as late. */
interface Waiting {
  lastEndMs: number;
  wake: () => void;
}

/** One batch: resolves with enough slots, or with nothing when too few are left. */
async function race(
  context: RaceContext,
  request: RowRequest,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, Uint8Array> | undefined> {
  const { header, states, clock } = context;
  const { want } = request;
  const length = batchLength(header, request);
  const have = new Map<number, Uint8Array>();
  const running = new Map<number, RunningRead>();
  const stop = new AbortController();
  const waiting: Waiting = { lastEndMs: clock.nowMs(), wake: () => {} };
  const onAbort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });

  const start = (state: SlotState): void => {
    const startedMs = clock.nowMs();
    running.set(state.slotIndex, { late: false });
    void readOne(context, state, request, length, stop.signal).then((bytes) => {
      waiting.lastEndMs = clock.nowMs();
      running.delete(state.slotIndex);
      if (bytes !== undefined) {
        have.set(state.slotIndex, bytes);
        context.recordTiming(waiting.lastEndMs - startedMs);
      }
      waiting.wake();
    });
  };
  const usable = (state: SlotState): boolean => state.failure === undefined && !have.has(state.slotIndex) && !running.has(state.slotIndex);
  /** Wanted slots alone, while they are well; otherwise enough that k slots can arrive. */
  const fillUp = (): void => {
    const wanted = want.filter((slot) => !have.has(slot));
    for (const slot of wanted) {
      const state = states.find((candidate) => candidate.slotIndex === slot);
      if (state !== undefined && usable(state) && state.lateCount < LATE_MAX) start(state);
    }
    const onTime = (slot: number): boolean => running.get(slot)?.late === false;
    if (wanted.every((slot) => onTime(slot))) return;
    const spares = states.filter(usable).sort((a, b) => a.lateCount - b.lateCount);
    const coming = [...running.values()].filter((entry) => !entry.late).length;
    for (const spare of spares.slice(0, Math.max(0, header.k - have.size - coming))) start(spare);
  };

  watchLateness(context, running, waiting, stop.signal).catch(() => {});
  try {
    for (;;) {
      throwIfAborted(signal);
      if (want.every((slot) => have.has(slot))) return only(want, have, context.room);
      if (have.size >= header.k) return have;
      const woken = new Promise<void>((resolve) => {
        waiting.wake = resolve;
      });
      fillUp();
      if (running.size === 0) return undefined;
      await woken;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    for (const [slotIndex, entry] of running) if (entry.late) noteLate(context, slotIndex);
    stop.abort(NOT_NEEDED);
  }
}

function noteLate({ states, onLate }: RaceContext, slotIndex: number): void {
  const state = states.find((candidate) => candidate.slotIndex === slotIndex);
  if (state === undefined) return;
  state.lateCount += 1;
  if (state.lateCount === LATE_MAX) onLate?.(slotIndex);
}

/** Counts reads as late that are still running when none has ended for `hedgeMs`. Ends with the signal. */
async function watchLateness(
  { clock, hedgeMs }: RaceContext,
  running: ReadonlyMap<number, RunningRead>,
  waiting: Waiting,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const dueMs = waiting.lastEndMs + hedgeMs();
    await clock.sleep(Math.max(1, dueMs - clock.nowMs()), signal);
    if (clock.nowMs() < waiting.lastEndMs + hedgeMs()) continue;
    for (const entry of running.values()) entry.late = true;
    waiting.lastEndMs = clock.nowMs();
    waiting.wake();
  }
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

function unrecoverable(options: RowReaderOptions, states: readonly SlotState[]): PpioError {
  const { header, dealId } = options;
  const missing = Array.from({ length: header.n }, (_, slotIndex) => {
    const state = states.find((candidate) => candidate.slotIndex === slotIndex);
    const failure = state === undefined ? "the slot has no provider" : state.failure?.message;
    return failure === undefined ? [] : [{ slotIndex, providerId: options.providerOf(slotIndex), reason: failure }];
  }).flat();
  const good = header.n - missing.length;
  const who = missing.map((slot) => `${slot.slotIndex} (provider ${slot.providerId})`).join(", ");
  const unpaid = states.filter((state) => isPpioError(state.failure, "PAYMENT_REQUIRED"));
  const payable = unpaid[0]?.failure;
  if (payable !== undefined && good + unpaid.length >= header.k) {
    throw new PpioError(
      "PAYMENT_REQUIRED",
      `Only ${good} of the ${header.k} slots that are needed can be read without paying, and ${unpaid.length} more for money. ${payable.message}`,
      { details: { ...payable.details, dealId, k: header.k, n: header.n, readable: good, missing } },
    );
  }
  const offline = states.some((state) => isPpioError(state.failure, "NETWORK") || isPpioError(state.failure, "TIMEOUT"));
  const hint = offline ? "wait until some of them are reachable" : "restore one of them from a copy of its disk";
  return new PpioError(
    "UNRECOVERABLE",
    `Only ${good} of the ${header.k} slots that are needed can be read; unreadable are slots ${who}. To get the data, ${hint} and try again.`,
    { details: { dealId, k: header.k, n: header.n, readable: good, missing } },
  );
}
