/**
 * Goes over all sealed slots again and again, slowly, and checks every byte against the roots, so that rot is found before a reader or
 * a proof meets it; records and trees that rotted are written again. Where it stands is kept in a file, so that a restart does not begin anew. The store itself tells of damage.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isPpioError } from "@ppio/core";
import { atomicWriteFile, type Logger, readJsonFile } from "@ppio/daemon";
import type { SlotStore } from "./slot-store.ts";

/** The position is written after so many bytes: what is scrubbed twice after a crash. */
const SAVE_EVERY_BYTES = 64 << 20;
/** One wait for many small cells. */
const WAIT_EVERY_BYTES = 1 << 20;

/** Where a scrub stands, kept somewhere; what is kept may be lost. */
export interface ScrubPosition {
  /** What was saved last; undefined when there is none. */
  load(): Promise<unknown>;
  save(position: object): Promise<void>;
}

export function scrubPositionFile(path: string): ScrubPosition {
  return {
    load: () => readJsonFile<unknown>(path),
    save: (position) => atomicWriteFile(path, `${JSON.stringify(position)}\n`, { mode: 0o600 }),
  };
}

export interface ScrubOptions {
  readonly store: SlotStore;
  /** More than 0. */
  readonly bytesPerSecond: number;
  /** Remembers the position. */
  readonly position: ScrubPosition;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly onBytes?: (bytes: number) => void;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

export interface ScrubReport {
  readonly slots: number;
  readonly bytes: number;
  /** Cells that do not match; a slot whose tree is lost counts once. */
  readonly damagedCells: number;
  /** Slots whose record or tree was damaged on disk and is written again. */
  readonly mendedSlots: number;
}

interface Position {
  readonly version: 1;
  /** Upload id; slots are taken in the order of their ids. */
  readonly uploadId: string;
  readonly row: number;
}

/** From where the last pass stopped to the last slot; ends early when the signal says so. @throws IO when the disk fails */
export async function scrubOnce(options: ScrubOptions): Promise<ScrubReport> {
  const { store, signal } = options;
  const start = await readPosition(options);
  const save = (position: Position): Promise<void> => options.position.save(position);
  const report = { slots: 0, bytes: 0, damagedCells: 0, mendedSlots: 0 };
  const pace = pacer(options);
  let sinceSave = 0;
  for (const uploadId of store.sealedFrom(start.uploadId)) {
    const rows = store.find(uploadId)?.header.rows ?? 0;
    for (let row = uploadId === start.uploadId ? start.row : 0; row < rows; row += 1) {
      if (signal.aborted) {
        await save({ version: 1, uploadId, row });
        return report;
      }
      const bytes = await checkCell(store, uploadId, row);
      // Deleted meanwhile.
      if (bytes === undefined) break;
      if (bytes === 0) report.damagedCells += 1;
      report.bytes += bytes;
      sinceSave += bytes;
      if (sinceSave >= SAVE_EVERY_BYTES) {
        await save({ version: 1, uploadId, row: row + 1 });
        sinceSave = 0;
      }
      await pace(bytes);
      if (bytes === 0 && store.areRootsLost(uploadId)) break;
    }
    if (await store.mend(uploadId)) report.mendedSlots += 1;
    report.slots += 1;
  }
  await save({ version: 1, uploadId: "", row: 0 });
  return report;
}

/** Bytes that were found whole, 0 when they are damaged, undefined when the slot is gone. @throws IO */
async function checkCell(store: SlotStore, uploadId: string, row: number): Promise<number | undefined> {
  try {
    return (await store.readCell(uploadId, row)).length;
  } catch (error) {
    if (isPpioError(error, "NOT_FOUND")) return undefined;
    if (isPpioError(error, "CORRUPT")) return 0;
    // A slot that was dropped under the read is no failing disk.
    if (!store.has(uploadId)) return undefined;
    throw error;
  }
}

function pacer({ bytesPerSecond, signal, onBytes, wait = waitOrStop }: ScrubOptions): (bytes: number) => Promise<void> {
  let owed = 0;
  return async (bytes) => {
    owed += bytes;
    onBytes?.(bytes);
    if (owed < WAIT_EVERY_BYTES) return;
    const ms = (owed * 1000) / bytesPerSecond;
    owed = 0;
    await wait(ms, signal);
  };
}

async function waitOrStop(ms: number, signal: AbortSignal): Promise<void> {
  // A stop ends the wait; the caller looks at the signal.
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

async function readPosition({ position, log }: ScrubOptions): Promise<Position> {
  const beginning: Position = { version: 1, uploadId: "", row: 0 };
  try {
    const known = (await position.load()) as Partial<Position> | undefined;
    const isPosition = known?.version === 1 && typeof known.uploadId === "string" && Number.isSafeInteger(known.row);
    return isPosition ? (known as Position) : beginning;
  } catch (error) {
    log.warn("where the scrub stood cannot be read; it begins anew", { error });
    return beginning;
  }
}
