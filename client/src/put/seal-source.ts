/**
 * Plaintext to slots: reads the source in order, and lets a worker seal, code and hash each batch. What came out of every row is
 * remembered (`row-marks.ts`), so that nothing else is ever sent under the same salt.
 */
import { type ObjectPlan, type PlanOptions, PpioError, planObject } from "@ppio/core";
import type { Hasher } from "../deps.ts";
import type { SealContext } from "../seal/index.ts";
import type { WorkerPool } from "../workers/pool.ts";
import { newObject } from "../workers/tasks.ts";
import type { Batch, Fill } from "./batch.ts";
import { createRowMarks, type RowMarksOptions } from "./row-marks.ts";
import { type ObjectSource, readInto } from "./source.ts";

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
  let hashed = 0;
  let digest: Uint8Array | undefined;
  let reading: Promise<unknown> = Promise.resolve();

  const read = async ({ firstRow, rowCount }: Batch, room: Uint8Array): Promise<Uint8Array> => {
    const first = plan.rowPlain(firstRow);
    const last = plan.rowPlain(firstRow + rowCount - 1);
    const plain = room.subarray(0, last.offset + last.length - first.offset);
    await readInto(source, first.offset, plain);
    if (first.offset === hashed && digest === undefined) {
      hasher.update(plain);
      hashed += plain.length;
    }
    return plain;
  };

  return {
    async fill(batch, arena) {
      const { firstRow, rowCount } = batch;
      const plain = await readNext(() => read(batch, arena.plain));
      const roots = await workers.run("seal", { object, seal, plan: options.plan, firstRow, rowCount, plain, slots: arena.slots });
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
  function readNext(work: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const done = reading.then(work);
    reading = done.catch(() => {});
    return done;
  }
}
