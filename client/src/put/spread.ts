/**
 * Rows in, slots out: one pass over all rows that fills batches and streams every slot's part to its provider, all at once. A slot
 * whose provider fails or is stopped is left behind and the others go on. Passes that run at the same time share their memory.
 */
import { type DealHeader, slotBytes } from "@ppio/core";
import { throwIfAborted } from "../deps.ts";
import type { Arena, ArenaPool } from "./arena.ts";
import { type Batch, batchesOf, type Fill } from "./batch.ts";

/** A slot's way to its provider. */
export interface Lane {
  /** The slot's place in an arena. */
  readonly at: number;
  /** Called in the slot's order; resolves when the bytes may be changed. Rejects for good. */
  put(offset: number, bytes: Uint8Array): Promise<void>;
  /** All rows are there. */
  done(): void;
  /** `put` has rejected. */
  failed(error: unknown): void;
}

export interface SpreadOptions {
  readonly header: DealHeader;
  readonly rowsPerBatch: number;
  readonly pool: ArenaPool;
  /** How much of the pool this pass may hold; asked before every batch. */
  readonly arenasMax: () => number;
  readonly fill: Fill;
  /** Told batch after batch, before anything of it is sent. */
  readonly onFilled?: (roots: readonly Uint8Array[]) => void;
  /** Without any, rows are only filled. */
  readonly lanes: readonly Lane[];
  readonly signal?: AbortSignal;
}

interface Run {
  readonly options: SpreadOptions;
  /** Batches so far are handed to the lanes. */
  readonly tails: Map<Lane, Promise<unknown>>;
  readonly gone: Set<Lane>;
  /** Batches whose memory is not given back yet, oldest first. */
  readonly held: Set<Promise<void>>;
  /** All batches so far are filled and told of. */
  filled: Promise<void>;
  isBroken: boolean;
}

/** Runs one pass over all rows; ends early when no lane is left. Rejects only when `fill` does or the signal is aborted. */
export async function spread(options: SpreadOptions): Promise<void> {
  const { header, lanes, signal } = options;
  const tails = new Map(lanes.map((lane) => [lane, Promise.resolve()] as const));
  const run: Run = { options, tails, gone: new Set(), held: new Set(), filled: Promise.resolve(), isBroken: false };
  try {
    for (const batch of batchesOf(header, options.rowsPerBatch)) {
      while (run.held.size >= Math.max(1, options.arenasMax())) await Promise.race(run.held);
      if (run.isBroken || (run.gone.size === lanes.length && lanes.length > 0)) break;
      await startBatch(run, batch);
    }
    await run.filled;
  } finally {
    await Promise.all(run.held);
  }
  throwIfAborted(signal);
}

/** Has the next batch filled while those before it are sent; waits for memory alone. */
async function startBatch(run: Run, batch: Batch): Promise<void> {
  const { options, tails, held } = run;
  const { pool } = options;
  throwIfAborted(options.signal);
  const arena = await pool.acquire();
  const part = { slots: arena.slots.map((slot) => slot.subarray(0, batch.length)) };
  const filled = Promise.all([options.fill(batch, part), run.filled]).then(([roots]) => options.onFilled?.(roots));
  run.filled = filled;
  const isFilled = filled.then(
    () => true,
    () => {
      run.isBroken = true;
      return false;
    },
  );
  const sent = [...tails].map(async ([lane, tail]) => {
    const handed = tail.then(async () => {
      const isThere = await isFilled;
      return { taken: send(run, lane, batch, part, isThere) };
    });
    tails.set(lane, handed);
    await (await handed).taken;
  });
  const released = Promise.all([isFilled, ...sent]).then(() => {
    held.delete(released);
    pool.release(arena);
  });
  held.add(released);
}

/** Never rejects: a lane that fails is left behind. */
async function send({ options, gone }: Run, lane: Lane, batch: Batch, { slots }: Arena, isFilled: boolean): Promise<void> {
  const part = slots[lane.at];
  if (part === undefined || !isFilled || gone.has(lane)) return;
  try {
    await lane.put(batch.offset, part);
    if (batch.offset + part.length === slotBytes(options.header)) lane.done();
  } catch (error) {
    if (gone.has(lane)) return;
    gone.add(lane);
    lane.failed(error);
  }
}
