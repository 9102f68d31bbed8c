/** Rows that are filled, hashed and sent together, and who fills them. */
import { cellRoots, type DealHeader, slotBytes } from "@ppio/core";
import type { Arena } from "./arena.ts";

export interface Batch {
  readonly firstRow: number;
  readonly rowCount: number;
  /** Byte offset of the batch in every slot. */
  readonly offset: number;
  /** Bytes of the batch in every slot. */
  readonly length: number;
}

/**
 * Fills `arena.slots` (each `batch.length` long) with the batch's bytes; may be asked for a batch again, and for the next one before it
 * is done. @returns the cells' roots, per slot
 */
export type Fill = (batch: Batch, arena: Arena) => Promise<readonly Uint8Array[]>;

export function batchesOf(header: DealHeader, rowsPerBatch: number): Batch[] {
  const total = slotBytes(header);
  return Array.from({ length: Math.ceil(header.rows / rowsPerBatch) }, (_, at) => {
    const firstRow = at * rowsPerBatch;
    const offset = firstRow * header.cellBytes;
    const rowCount = Math.min(rowsPerBatch, header.rows - firstRow);
    return { firstRow, rowCount, offset, length: Math.min(rowCount * header.cellBytes, total - offset) };
  });
}

/** A fill that hashes here what `fill` has filled. */
export function hashedFill(header: DealHeader, fill: (batch: Batch, slots: readonly Uint8Array[]) => Promise<void>): Fill {
  return async (batch, { slots }) => {
    await fill(batch, slots);
    return slots.map((slot) => cellRoots(header, batch.firstRow, slot));
  };
}
