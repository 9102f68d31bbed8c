/**
 * Rows of a deal out of any k of its n slots, batch after batch (row-race.ts). A slot that lied is not asked again; one that could not be
 * reached gets another chance only when nothing else is left.
 */
import { type DealHeader, isPpioError, PpioError } from "@ppio/core";
import { type Clock, type Log, throwIfAborted } from "../deps.ts";
import type { ClientLimits } from "../limits.ts";
import type { Stragglers } from "../providers/stragglers.ts";
import type { ReadPace } from "./read-pace.ts";
import type { Room } from "./room.ts";
import { raceRows, type SlotState } from "./row-race.ts";

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
  readonly onFailed?: (slotIndex: number, error: unknown) => void;
  /** A slot that was late has answered nothing for `waitedMs` when others had brought what it was asked for. */
  readonly onOvertaken?: (slotIndex: number, waitedMs: number) => void;
  /** Who serves a slot, for messages. */
  readonly providerOf: (slotIndex: number) => number;
  readonly pace: ReadPace;
  readonly stragglers: Stragglers;
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

const SECOND_CHANCES_MAX = 3;

export function createRowReader(options: RowReaderOptions): RowReader {
  const { limits, clock } = options;
  const states = options.slots.map((slotIndex): SlotState => ({ slotIndex, lied: false }));
  const wakes = new Set<() => void>();
  let chances = SECOND_CHANCES_MAX;

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
      const done = await raceRows({ ...options, states, wakes }, { firstRow, rowCount, want }, signal);
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
