/** What is computed for a read, on whichever thread: cells against their roots, and frames opened. */
import { cellLength, cellRoots, type DealHeader, type ErasureCoder, equalBytes, type ObjectPlan, PpioError } from "@ppio/core/data";
import type { Sealer } from "../seal/sealer.ts";
import type { ObjectTask } from "./tasks.ts";

/** Cells of one slot from `firstRow` on, back to back. */
export interface CheckTask {
  readonly header: DealHeader;
  readonly firstRow: number;
  readonly cells: Uint8Array;
  /** 32 bytes per cell. */
  readonly roots: Uint8Array;
}

/** Frames to open, in a row. */
export interface OpenTask extends ObjectTask {
  readonly firstFrame: number;
  readonly frameCount: number;
  readonly firstRow: number;
  /** Cells from `firstRow` on, back to back: of every slot that a frame lies in, or of any k. */
  readonly slots: readonly { readonly slotIndex: number; readonly cells: Uint8Array }[];
}

export interface OpenResult {
  /** The frames' plaintext, each in memory of its own. */
  readonly frames: readonly Uint8Array[];
  /** The memory that the task came with. */
  readonly slots: OpenTask["slots"];
}

/** Memory that goes to another thread with the task, and is gone here: its `slots`, each alone in its own. */
export function openingMemory({ slots }: Pick<OpenTask, "slots">): ArrayBuffer[] {
  return slots.flatMap(({ cells: { buffer } }) => (buffer instanceof ArrayBuffer ? [buffer] : []));
}

/** Memory that comes back with the result. */
export function openedMemory({ frames, slots }: OpenResult): ArrayBuffer[] {
  const own = frames.flatMap(({ buffer, length }) => (buffer instanceof ArrayBuffer && buffer.byteLength === length ? [buffer] : []));
  return [...own, ...openingMemory({ slots })];
}

/** @returns whether the cells have these roots */
export function checkCells({ header, firstRow, cells, roots }: CheckTask): boolean {
  return equalBytes(cellRoots(header, firstRow, cells), roots);
}

/** How an object is laid out, sealed and coded. */
export interface ObjectKeys {
  readonly plan: ObjectPlan;
  readonly sealer: Sealer;
  readonly coder: () => ErasureCoder;
}

/**
 * Row by row, so that a rebuilt cell is opened while it is still in the cache.
 * @throws CORRUPT when one does not open
 */
export async function openFrames({ plan, sealer, coder }: ObjectKeys, task: OpenTask): Promise<OpenResult> {
  const { k, cellBytes } = plan.header;
  const rebuilt = new Map<number, Uint8Array>();
  const opened: Uint8Array[] = [];
  const end = task.firstFrame + task.frameCount;
  for (let index = task.firstFrame; index < end; ) {
    const row = Math.floor(plan.frame(index).cell / k);
    const length = cellLength(plan.header, row);
    const offset = (row - task.firstRow) * cellBytes;
    const cells = new Map(task.slots.map((slot) => [slot.slotIndex, slot.cells.subarray(offset, offset + length)]));
    const frames = Array.from({ length: Math.min(end, (row + 1) * k) - index }, (_, at) => plan.frame(index + at));
    const missing = frames.map(({ cell }) => cell % k).filter((slot) => !cells.has(slot));
    if (missing.length > 0) {
      if (cells.size < k) throw new PpioError("INTERNAL", `Too few slots of row ${row} were read.`);
      const want = new Map(missing.map((slot) => [slot, scratchOf(rebuilt, slot, cellBytes).subarray(0, length)]));
      coder().reconstruct(cells, want);
      for (const [slot, bytes] of want) cells.set(slot, bytes);
    }
    opened.push(...(await Promise.all(frames.map((frame) => sealer.openFrame(frame, cells.get(frame.cell % k) ?? new Uint8Array())))));
    index += frames.length;
  }
  return { frames: opened, slots: task.slots };
}

/** Memory for one rebuilt cell of a slot, used again for every row. */
function scratchOf(rebuilt: Map<number, Uint8Array>, slot: number, cellBytes: number): Uint8Array {
  const known = rebuilt.get(slot);
  if (known !== undefined) return known;
  const fresh = new Uint8Array(cellBytes);
  rebuilt.set(slot, fresh);
  return fresh;
}
