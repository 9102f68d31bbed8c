/** The bytes of a record that lies in a deal's data cells as it is; verified against the chain, not yet opened. */
import { cellLength, type DealHeader, keptCoder, PpioError } from "@ppio/core";
import type { Context } from "../context.ts";
import { type DealReader, openReader } from "./deal-reader.ts";

export interface RecordPlace {
  readonly dealId: string;
  /** In the deal's data cells, in bytes. */
  readonly offset: number;
  readonly length: number;
}

/** @throws BAD_FORMAT when the deal is too small for the place */
export async function readRecord(context: Context, place: RecordPlace, signal?: AbortSignal): Promise<Uint8Array> {
  const reader = await openReader(context, { dealId: place.dealId, ...(signal === undefined ? {} : { signal }) });
  try {
    return await readSealed(context, reader, place, signal);
  } finally {
    reader.close();
  }
}

async function readSealed(
  context: Context,
  { header, readRows }: DealReader,
  place: RecordPlace,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { k, cellBytes, rows, lastCellBytes } = header;
  const streamBytes = (rows - 1) * k * cellBytes + k * lastCellBytes;
  if (place.offset + place.length > streamBytes || place.length === 0) {
    throw new PpioError("BAD_FORMAT", `Deal ${place.dealId} does not hold what the bucket's head names; restore the head.`);
  }
  const columns = Array.from({ length: k }, (_, column) => column);
  const rowsPerBatch = Math.max(1, Math.floor(context.limits.requestBytesMax / cellBytes));
  const out = new Uint8Array(place.length);
  const lastRow = Math.min(rows - 1, Math.floor((place.offset + place.length - 1) / (k * cellBytes)));
  for (let first = Math.floor(place.offset / (k * cellBytes)); first <= lastRow; first += rowsPerBatch) {
    const count = Math.min(rowsPerBatch, lastRow + 1 - first);
    const slots = withRebuilt(header, await readRows(first, count, columns, signal), columns);
    for (let row = first; row < first + count; row += 1) {
      const length = cellLength(header, row);
      for (const column of columns) {
        const inSlot = (row - first) * cellBytes;
        const cell = slots.get(column)?.subarray(inSlot, inSlot + length) ?? new Uint8Array();
        copyOverlap(out, place.offset, cell, row * k * cellBytes + column * length);
      }
    }
  }
  return out;
}

function withRebuilt(header: DealHeader, have: ReadonlyMap<number, Uint8Array>, want: readonly number[]): ReadonlyMap<number, Uint8Array> {
  const missing = want.filter((slot) => !have.has(slot));
  if (missing.length === 0) return have;
  const [{ length } = new Uint8Array()] = have.values();
  const rebuilt = new Map(missing.map((slot) => [slot, new Uint8Array(length)]));
  keptCoder(header).reconstruct(have, rebuilt);
  return new Map([...have, ...rebuilt]);
}

/** Copies what of `cell`, which lies at `cellOffset`, belongs into `out`, which begins at `outOffset`. */
function copyOverlap(out: Uint8Array, outOffset: number, cell: Uint8Array, cellOffset: number): void {
  const from = Math.max(outOffset, cellOffset);
  const to = Math.min(outOffset + out.length, cellOffset + cell.length);
  if (from < to) out.set(cell.subarray(from - cellOffset, to - cellOffset), from - outOffset);
}
