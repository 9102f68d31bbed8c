/** What is computed for a read, on whichever thread: cells against their roots, and frames opened. All memory is the caller's. */
import { cellLength, cellRoots, type DealHeader, equalBytes, type ObjectPlan, PpioError } from "@ppio/core/data";
import type { Awaitable } from "../aes/aes.ts";
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
  /** Verified cells from `firstRow` on, back to back, of every data slot that a frame lies in. */
  readonly slots: readonly { readonly slotIndex: number; readonly cells: Uint8Array }[];
}

/** @returns whether the cells have these roots */
export function checkCells({ header, firstRow, cells, roots }: CheckTask): boolean {
  return equalBytes(cellRoots(header, firstRow, cells), roots);
}

/** @returns the frames' plaintext, each in memory of its own @throws CORRUPT when one does not open */
export function openFrames(plan: ObjectPlan, sealer: Sealer, task: OpenTask): Promise<readonly Uint8Array[]> {
  const { header } = plan;
  const slots = new Map(task.slots.map(({ slotIndex, cells }) => [slotIndex, cells]));
  const open = (index: number): Awaitable<Uint8Array> => {
    const frame = plan.frame(index);
    const row = Math.floor(frame.cell / header.k);
    const offset = (row - task.firstRow) * header.cellBytes;
    const cells = slots.get(frame.cell % header.k);
    if (cells === undefined) throw new PpioError("INTERNAL", `The slot of frame ${index} was not read.`);
    return sealer.openFrame(frame, cells.subarray(offset, offset + cellLength(header, row)));
  };
  return Promise.all(Array.from({ length: task.frameCount }, (_, at) => open(task.firstFrame + at)));
}
