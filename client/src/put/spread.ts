/**
 * Rows in, slots out: fills batches of rows and streams every slot's part to its provider, all at once. A slot whose provider fails
 * is left behind and the others go on; what failed is for the next pass.
 */
import { type DealHeader, slotBytes } from "@ppio/core";
import { throwIfAborted } from "../deps.ts";
import { type ArenaPool, createArenaPool, planBatches } from "./arena.ts";
import type { SlotUpload } from "./slot-upload.ts";

export interface Batch {
  readonly firstRow: number;
  readonly rowCount: number;
  /** Byte offset of the batch in every slot. */
  readonly offset: number;
  /** Bytes of the batch in every slot. */
  readonly length: number;
}

export interface SpreadOptions {
  readonly header: DealHeader;
  /** Buffers a batch needs: all n slots for a put, the rebuilt ones for a repair. */
  readonly slotCount: number;
  readonly bufferBytes: number;
  readonly requestBytesMax: number;
  /** Fills `slots` (each `batch.length` long) with the batch's bytes. */
  readonly fill: (batch: Batch, slots: readonly Uint8Array[]) => Promise<void>;
  /** Uploads by their place in `slots`. */
  readonly lanes: ReadonlyMap<number, SlotUpload>;
  readonly onSent?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface SpreadResult {
  /** Why lanes failed, by their place; the others have sent everything. */
  readonly failed: ReadonlyMap<number, unknown>;
  readonly bytesInFlightMax: number;
}

interface Lane {
  readonly at: number;
  readonly upload: SlotUpload;
  tail: Promise<void>;
}

export function batchesOf(header: DealHeader, rowsPerBatch: number): Batch[] {
  const total = slotBytes(header);
  return Array.from({ length: Math.ceil(header.rows / rowsPerBatch) }, (_, at) => {
    const firstRow = at * rowsPerBatch;
    const offset = firstRow * header.cellBytes;
    const rowCount = Math.min(rowsPerBatch, header.rows - firstRow);
    return { firstRow, rowCount, offset, length: Math.min(rowCount * header.cellBytes, total - offset) };
  });
}

/** Runs one pass over all rows. Rejects only when `fill` does or the signal is aborted. */
export async function spread(options: SpreadOptions): Promise<SpreadResult> {
  const { header, slotCount, lanes: uploads, signal } = options;
  const plan = planBatches(header, slotCount, options.bufferBytes, options.requestBytesMax);
  const bytesPerSlot = Math.min(plan.rowsPerBatch * header.cellBytes, slotBytes(header));
  const pool = createArenaPool(slotCount, bytesPerSlot, plan.arenas);
  const failed = new Map<number, unknown>();
  const lanes: Lane[] = [...uploads].map(([at, upload]) => ({ at, upload, tail: Promise.resolve() }));
  try {
    for (const batch of batchesOf(header, plan.rowsPerBatch)) {
      if (failed.size === lanes.length && lanes.length > 0) break;
      await sendBatch(options, pool, lanes, failed, batch);
    }
  } finally {
    await Promise.all(lanes.map((lane) => lane.tail));
  }
  throwIfAborted(signal);
  return { failed, bytesInFlightMax: pool.bytesInFlightMax };
}

async function sendBatch(options: SpreadOptions, pool: ArenaPool, lanes: readonly Lane[], failed: Map<number, unknown>, batch: Batch) {
  throwIfAborted(options.signal);
  const arena = await pool.acquire();
  const parts = arena.slots.map((slot) => slot.subarray(0, batch.length));
  await options.fill(batch, parts);
  for (const lane of lanes) {
    const part = parts[lane.at];
    if (part === undefined || failed.has(lane.at)) continue;
    lane.tail = lane.tail.then(async () => {
      if (failed.has(lane.at)) return;
      try {
        await lane.upload.put(batch.offset, part);
        options.onSent?.(part.length);
      } catch (error) {
        failed.set(lane.at, error);
      }
    });
  }
  void Promise.all(lanes.map((lane) => lane.tail)).then(() => pool.release(arena));
}
