/** One source sealed, coded and hashed by whatever threads there are; the same in Node and in a browser, so nothing here is Node's. */
import { planObject, SlotTreeBuilder, SUITE_GCM_CTR } from "@ppio/core";
import { hexlify, sha256 } from "ethers";
import { createArenaPool } from "../../../client/dist/put/arena.js";
import { batchesOf } from "../../../client/dist/put/batch.js";
import { sealSource } from "../../../client/dist/put/seal-source.js";
import { bytesSource } from "../../../client/dist/put/source.js";
import type { WorkerPool } from "../../../client/dist/workers/pool.js";
import { bytesOf } from "../vectors.ts";

const PLAN = { sizeBytes: 300_001, k: 3, n: 5, cellBytes: 4096 };
const ROWS_PER_BATCH = 4;

export interface SealedSlots {
  /** SHA-256 of each slot's bytes. */
  readonly slots: readonly string[];
  readonly roots: readonly string[];
}

export async function sealedSlots(workers: WorkerPool): Promise<SealedSlots> {
  const { header, frameBytes } = planObject(PLAN);
  const seal = {
    contentKey: bytesOf("content key", 32),
    applicationSecret: bytesOf("application secret", 32),
    salt: bytesOf("salt", 32),
    fillKey: bytesOf("fill key", 32),
    objectId: bytesOf("object", 32),
    objectVersion: 7,
    objectHeader: { suite: SUITE_GCM_CTR, frameBytes },
  };
  const source = bytesSource(bytesOf("source", PLAN.sizeBytes));
  const hasher = { update: () => undefined, digest: () => new Uint8Array() };
  const { fill } = sealSource({ plan: PLAN, source, seal, workers, hasher });
  const shape = {
    slotCount: header.n,
    bytesPerSlot: ROWS_PER_BATCH * header.cellBytes,
    isShared: workers.size > 0,
  };
  const pool = createArenaPool(shape, Number.POSITIVE_INFINITY);
  const trees = Array.from({ length: header.n }, () => new SlotTreeBuilder(header));
  const batches = await Promise.all(
    batchesOf(header, ROWS_PER_BATCH).map(async (batch) => {
      const { slots } = await pool.acquire();
      const part = { slots: slots.map((slot) => slot.subarray(0, batch.length)) };
      return { slots: part.slots, roots: await fill(batch, part) };
    }),
  );
  for (const { roots } of batches) for (const [at, tree] of trees.entries()) tree.pushRoots(roots[at] ?? new Uint8Array());
  return {
    slots: trees.map((_, at) => sha256(joined(batches.map(({ slots }) => slots[at] ?? new Uint8Array())))),
    roots: trees.map((tree) => hexlify(tree.finish().root)),
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
