/**
 * Plaintext to slots: reads the source in order into the data cells, and lets a worker seal them where they lie, code and hash each batch.
 * What came out of every row is remembered (`row-marks.ts`), so that nothing else is ever sent under the same salt.
 */
import { type ObjectPlan, type PlanOptions, PpioError, planObject } from "@ppio/core";
import type { Hasher } from "../deps.ts";
import type { SealContext } from "../seal/index.ts";
import type { WorkerPool } from "../workers/pool.ts";
import { newObject } from "../workers/tasks.ts";
import type { Batch, Fill } from "./batch.ts";
import { createRowMarks, type RowMarksOptions } from "./row-marks.ts";
import { type ObjectSource, readInto } from "./source.ts";

/** Plaintext that is read at once. */
const PIECE_BYTES = 1 << 20;

export interface SealSourceOptions {
  readonly plan: PlanOptions;
  readonly source: ObjectSource;
  readonly seal: SealContext;
  readonly workers: WorkerPool;
  readonly hasher: Hasher;
  /** What an interrupted attempt with the same salt has come to, and where to keep what this one does. */
  readonly marks?: Pick<RowMarksOptions, "known" | "append">;
}

export interface SealedSource {
  /** @throws CONFLICT when the source is not what it was in an earlier pass */
  readonly fill: Fill;
  /** SHA-256 of the source, once the first pass has read all of it. */
  digest(): Uint8Array;
}

export function sealSource(options: SealSourceOptions): SealedSource {
  const { source, seal, workers, hasher } = options;
  const object = newObject();
  const plan: ObjectPlan = planObject(options.plan);
  const marks = createRowMarks({ rows: plan.header.rows, ...options.marks });
  const framesPerPiece = Math.max(1, Math.floor(PIECE_BYTES / plan.frameBytes));
  const room = new Uint8Array(Math.min(framesPerPiece * plan.frameBytes, source.sizeBytes));
  let hashed = 0;
  let digest: Uint8Array | undefined;
  let reading: Promise<unknown> = Promise.resolve();

  /** Each frame to the start of its cell. */
  const read = async ({ firstRow, rowCount }: Batch, slots: readonly Uint8Array[]): Promise<void> => {
    const { k, cellBytes } = plan.header;
    const end = Math.min((firstRow + rowCount) * k, plan.frameCount);
    for (let from = firstRow * k; from < end; from += framesPerPiece) {
      const frames = Array.from({ length: Math.min(framesPerPiece, end - from) }, (_, at) => plan.frame(from + at));
      const start = plan.frame(from).plainOffset;
      const piece = room.subarray(
        0,
        frames.reduce((sum, { plainLength }) => sum + plainLength, 0),
      );
      await readInto(source, start, piece);
      if (start === hashed && digest === undefined) {
        hasher.update(piece);
        hashed += piece.length;
      }
      for (const { cell, plainOffset, plainLength } of frames) {
        const inSlot = (Math.floor(cell / k) - firstRow) * cellBytes;
        slots[cell % k]?.set(piece.subarray(plainOffset - start, plainOffset - start + plainLength), inSlot);
      }
    }
  };

  return {
    async fill(batch, arena) {
      const { firstRow, rowCount } = batch;
      const { slots } = arena;
      await readNext(() => read(batch, slots));
      const begun = new Uint8Array(workers.size > 0 ? new SharedArrayBuffer(1) : new ArrayBuffer(1));
      const roots = await workers.run("seal", { object, seal, plan: options.plan, firstRow, rowCount, slots, begun });
      await marks.pass(firstRow, rowCount, roots);
      return roots;
    },
    digest() {
      if (hashed !== source.sizeBytes) throw new PpioError("INTERNAL", "The source was not read to its end.");
      digest ??= hasher.digest();
      return digest;
    },
  };

  /** One read after the other, so that the hash meets the bytes in order. */
  function readNext(work: () => Promise<void>): Promise<void> {
    const done = reading.then(work);
    reading = done.catch(() => {});
    return done;
  }
}
