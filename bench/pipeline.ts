/**
 * How near is a put's pipeline (both layers, code, tree, 10/16) to the sum of its parts, bare, on one core; and how do two workers
 * scale beside two threads that do the same without ever waiting for anybody? GB/s of plaintext.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { startWorker } from "../client/dist/workers/platform.node.js";
import { createWorkerPool } from "../client/dist/workers/pool.js";
import { createTaskRunner } from "../client/dist/workers/tasks.js";
import { compare, rateOf } from "./support/interleave.ts";
import { anew, BATCH_BYTES, bareParts, sealTask } from "./support/pipeline.ts";

const runner = createTaskRunner();
const task = sealTask(0);
const parts = bareParts();

/** 1 / (sum of the parts' own costs). */
const bound = (): number => 1 / [parts.seal, parts.code, parts.tree].reduce((sum, part) => sum + 1 / rateOf(part, BATCH_BYTES), 0);

await compare({
  name: "seal, code and hash 10/16, one core, bare parts",
  ours: () => rateOf(() => void runner.seal(anew(task)), BATCH_BYTES),
  peer: bound,
  target: 0.85,
});

const WORKERS = 2;
const BATCHES = 24;
/** As many batches in flight as a put has. */
const IN_FLIGHT = 4;
const rate = (ms: number): number => (BATCHES * BATCH_BYTES) / ms / 1e6;

const pool = createWorkerPool(startWorker, WORKERS);
const tasks = Array.from({ length: IN_FLIGHT }, (_, object) => sealTask(object));
async function ours(): Promise<number> {
  const start = performance.now();
  let left = BATCHES;
  await Promise.all(
    tasks.map(async (own) => {
      for (; left > 0; ) {
        left -= 1;
        await pool.run("seal", anew(own));
      }
    }),
  );
  return rate(performance.now() - start);
}

const bare = Array.from({ length: WORKERS }, () => new Worker(new URL("./support/pipeline.ts", import.meta.url), { workerData: "seal" }));
async function peer(): Promise<number> {
  const start = performance.now();
  for (const worker of bare) worker.postMessage(BATCHES / WORKERS);
  await Promise.all(bare.map((worker) => once(worker, "message")));
  return rate(performance.now() - start);
}

await compare({ name: "the same, two workers, two bare threads", ours, peer, target: 0.95 });
pool.close();
await Promise.all(bare.map((worker) => worker.terminate()));
