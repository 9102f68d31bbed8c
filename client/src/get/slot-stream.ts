/**
 * One slot, read from its provider piece after piece: long requests whose answers are taken as they are wanted, so that a signature and
 * a set of headers serve many megabytes while no more than a piece of it lies in memory. What is not taken yet waits at the provider.
 */
import { type DealHeader, isPpioError, isTransient } from "@ppio/core";
import { cancelled, throwIfAborted } from "../deps.ts";
import type { Room } from "./room.ts";
import type { SlotAnswer } from "./slot-answer.ts";

export interface SlotStreamOptions {
  readonly header: DealHeader;
  /** Opens an answer for rows [firstRow, firstRow + rowCount), its head verified. */
  readonly open: (firstRow: number, rowCount: number, signal: AbortSignal) => Promise<SlotAnswer>;
  /** Rows from here on are not asked for ahead. */
  readonly endRow: number;
  /** Most rows of a request. */
  readonly rowsMax: number;
  readonly room: Room;
}

export interface SlotStream {
  /** Verified cells of rows [firstRow, firstRow + rowCount), back to back, in memory of the room. Reads happen in the order in which they were asked for. */
  read(firstRow: number, rowCount: number, signal: AbortSignal): Promise<Uint8Array>;
  /** Gives up what was asked for and not taken. */
  close(): void;
}

interface OpenAnswer {
  readonly answer: SlotAnswer;
  readonly stop: AbortController;
  /** Next row of it, and the one behind its last. */
  row: number;
  readonly endRow: number;
}

export function createSlotStream({ header, open, endRow, rowsMax, room }: SlotStreamOptions): SlotStream {
  let current: OpenAnswer | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  /** The next request asks for twice as many rows as the one before: what is given up is never more than what was used. */
  let ahead = 1;

  const giveUp = (): void => {
    const given = current;
    current = undefined;
    given?.stop.abort();
    given?.answer.close().catch(() => {});
  };

  const openAt = async (row: number, rowCount: number, signal: AbortSignal): Promise<OpenAnswer> => {
    giveUp();
    let rows = Math.max(1, Math.min(Math.max(rowCount, Math.min(ahead, endRow - row)), rowsMax));
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const answer = await open(row, rows, stop.signal).catch((error) => {
        const fewer = rowsWithin(error, header.cellBytes);
        if (fewer === undefined || fewer >= rows) throw error;
        rows = fewer;
        return open(row, rows, stop.signal);
      });
      current = { answer, stop, row, endRow: row + rows };
      ahead = 2 * rows;
      return current;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

  /** Takes what the open answer has of the wanted rows. */
  const take = async (from: OpenAnswer, rows: number, target: Uint8Array, signal: AbortSignal): Promise<void> => {
    const onAbort = (): void => from.stop.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await from.answer.readCells(target);
      throwIfAborted(signal);
      from.row += rows;
      if (from.row < from.endRow) return;
      await from.answer.end();
      current = undefined;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

  const fill = async (firstRow: number, rowCount: number, target: Uint8Array, signal: AbortSignal): Promise<void> => {
    for (let row = firstRow, isFresh = false; row < firstRow + rowCount; ) {
      throwIfAborted(signal);
      try {
        const found = current?.row === row ? current : undefined;
        isFresh = found === undefined;
        const from = found ?? (await openAt(row, firstRow + rowCount - row, signal));
        const rows = Math.min(from.endRow, firstRow + rowCount) - row;
        await take(from, rows, target.subarray((row - firstRow) * header.cellBytes, (row - firstRow + rows) * header.cellBytes), signal);
        row += rows;
      } catch (error) {
        giveUp();
        // An answer may break off because nobody took anything of it for long; a new one goes on where it stopped.
        if (isFresh || signal.aborted || !isTransient(error)) throw error;
      }
    }
  };

  return {
    read(firstRow, rowCount, signal) {
      const lastRow = firstRow + rowCount - 1;
      const lastBytes = lastRow === header.rows - 1 ? header.lastCellBytes : header.cellBytes;
      const done = last.then(async () => {
        if (isClosed) throw cancelled();
        const target = room.take((rowCount - 1) * header.cellBytes + lastBytes);
        await fill(firstRow, rowCount, target, signal);
        return target;
      });
      last = done.catch(() => {});
      return done;
    },
    close() {
      isClosed = true;
      giveUp();
    },
  };
}

/** How many rows may be asked for at once of a provider that is paid ahead; nothing when that is not what is wrong. */
function rowsWithin(error: unknown, cellBytes: number): number | undefined {
  if (!isPpioError(error, "TOO_LARGE")) return undefined;
  const { bytesMax } = error.details;
  return typeof bytesMax === "number" ? Math.max(1, Math.floor(bytesMax / cellBytes)) : undefined;
}
