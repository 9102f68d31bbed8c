/**
 * Rows in, slots out: fills batches of rows and streams every slot's part to its provider, all at once. A slot whose provider fails
 * is left behind and the others go on; what failed is for the next pass.
 */
import { type DealHeader, slotBytes } from "@ppio/core";
import { throwIfAborted } from "../deps.ts";
import { type Arena, type ArenaPool, createArenaPool, planBatches } from "./arena.ts";
import { type Batch, batchesOf, type Fill } from "./batch.ts";
import type { SlotUpload } from "./slot-upload.ts";

export interface SpreadOptions {
  readonly header: DealHeader;
  /** Buffers a batch needs: all n slots for a put, the rebuilt ones for a repair. */
  readonly slotCount: number;
  readonly bufferBytes: number;
  readonly requestBytesMax: number;
  /** Room for plaintext in an arena, per row. */
  readonly plainRowBytes: number;
  /** Threads that fill; above 0 arenas are shared memory. */
  readonly workers: number;
  readonly fill: Fill;
  /** Told batch after batch, before anything of it is sent. */
  readonly onFilled?: (roots: readonly Uint8Array[]) => void;
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

/** Runs one pass over all rows. Rejects only when `fill` does or the signal is aborted. */
export async function spread(options: SpreadOptions): Promise<SpreadResult> {
  const { header, slotCount, lanes: uploads, plainRowBytes, workers, signal } = options;
  const rowBytes = slotCount * header.cellBytes + plainRowBytes;
  const plan = planBatches(header, rowBytes, options.bufferBytes, options.requestBytesMax, workers);
  const pool = createArenaPool(
    {
      slotCount,
      bytesPerSlot: Math.min(plan.rowsPerBatch * header.cellBytes, slotBytes(header)),
      plainBytes: plan.rowsPerBatch * plainRowBytes,
      isShared: workers > 0,
    },
    plan.arenas,
  );
  const failed = new Map<number, unknown>();
  const lanes: Lane[] = [...uploads].map(([at, upload]) => ({ at, upload, tail: Promise.resolve() }));
  const run: Run = { options, pool, lanes, failed, filled: Promise.resolve(), isBroken: false };
  try {
    for (const batch of batchesOf(header, plan.rowsPerBatch)) {
      if (run.isBroken || (failed.size === lanes.length && lanes.length > 0)) break;
      await startBatch(run, batch);
    }
    await run.filled;
  } finally {
    await Promise.all(lanes.map((lane) => lane.tail));
  }
  throwIfAborted(signal);
  return { failed, bytesInFlightMax: pool.bytesInFlightMax };
}

interface Run {
  readonly options: SpreadOptions;
  readonly pool: ArenaPool;
  readonly lanes: readonly Lane[];
  readonly failed: Map<number, unknown>;
  /** All batches so far are filled and told of. */
  filled: Promise<void>;
  isBroken: boolean;
}

/** Has the next batch filled while those before it are sent; waits for memory alone. */
async function startBatch(run: Run, batch: Batch): Promise<void> {
  const { options, pool, lanes } = run;
  throwIfAborted(options.signal);
  const arena = await pool.acquire();
  const part = { plain: arena.plain, slots: arena.slots.map((slot) => slot.subarray(0, batch.length)) };
  const filled = Promise.all([options.fill(batch, part), run.filled]).then(([roots]) => options.onFilled?.(roots));
  run.filled = filled;
  const isFilled = filled.then(
    () => true,
    () => {
      run.isBroken = true;
      return false;
    },
  );
  for (const lane of lanes) lane.tail = lane.tail.then(() => send(run, lane, batch, part, isFilled));
  void Promise.all([isFilled, ...lanes.map((lane) => lane.tail)]).then(() => pool.release(arena));
}

/** Never rejects: a lane that fails is left behind. */
async function send({ options, failed }: Run, lane: Lane, batch: Batch, { slots }: Arena, isFilled: Promise<boolean>): Promise<void> {
  const part = slots[lane.at];
  if (part === undefined || failed.has(lane.at) || !(await isFilled)) return;
  try {
    await lane.upload.put(batch.offset, part);
    options.onSent?.(part.length);
  } catch (error) {
    failed.set(lane.at, error);
  }
}
