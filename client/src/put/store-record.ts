/** One sealed record, such as a listing, in one deal: its bytes lie in the data cells as they are. */
import { cellLength, type DealHeader, keptCoder, planRecord } from "@ppio/core";
import type { Context } from "../context.ts";
import { hashedFill } from "./batch.ts";
import { type StoreDealOptions, type StoredDeal, storeDeal } from "./store-deal.ts";

/** Web Crypto gives at most this much at once. */
const RANDOM_BYTES_MAX = 65_536;

export interface StoreRecordOptions extends Omit<StoreDealOptions, "header" | "fill"> {
  readonly record: Uint8Array;
}

export function storeRecord(context: Context, options: StoreRecordOptions): Promise<StoredDeal> {
  const { record, k, n, cellBytes } = options;
  const { header, streamBytes } = planRecord({ sizeBytes: record.length, k, n, ...(cellBytes === undefined ? {} : { cellBytes }) });
  const stream = new Uint8Array(streamBytes);
  stream.set(record);
  // Padding looks like the rest.
  for (let at = record.length; at < streamBytes; at += RANDOM_BYTES_MAX) {
    stream.set(context.random(Math.min(RANDOM_BYTES_MAX, streamBytes - at)), at);
  }
  const coder = keptCoder(header);
  const fill = hashedFill(header, async (batch, slots) => {
    for (let row = batch.firstRow; row < batch.firstRow + batch.rowCount; row += 1) {
      const inSlot = (row - batch.firstRow) * header.cellBytes;
      for (let column = 0; column < k; column += 1) slots[column]?.set(recordCell(header, stream, row, column), inSlot);
    }
    coder.encode(slots.slice(0, k), slots.slice(k));
  });
  return storeDeal(context, { ...options, header, fill });
}

/** Data cell of a record's stream. */
function recordCell(header: DealHeader, stream: Uint8Array, row: number, column: number): Uint8Array {
  const length = cellLength(header, row);
  const start = row * header.k * header.cellBytes + column * length;
  return stream.subarray(start, start + length);
}
