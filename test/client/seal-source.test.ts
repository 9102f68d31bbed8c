/** From a source to sealed, coded and hashed slots: on this thread and on workers alike, and what a worker's end or a changed source does. */
import { createHash } from "node:crypto";
import { cellLength, cellRoot, createErasureCoder, type PlanOptions, planObject, SUITE_GCM_CTR } from "@ppio/core";
import { expect } from "chai";
import { createArenaPool } from "../../client/dist/put/arena.js";
import { batchesOf } from "../../client/dist/put/batch.js";
import { sealSource } from "../../client/dist/put/seal-source.js";
import { bytesSource } from "../../client/dist/put/source.js";
import { createSealer } from "../../client/dist/seal/index.js";
import { startWorker } from "../../client/dist/workers/platform.node.js";
import { createInlinePool, createWorkerPool, type WorkerEvents, type WorkerPool } from "../../client/dist/workers/pool.js";
import { codeOf } from "../support/code-of.ts";

const ROWS_PER_BATCH = 3;
const filled = (length: number, seed: number): Uint8Array => new Uint8Array(length).map((_, at) => (at * 31 + seed * 7 + (at >> 8)) & 0xff);
const CONTEXT = {
  contentKey: filled(32, 1),
  applicationSecret: filled(32, 2),
  salt: filled(32, 3),
  fillKey: filled(32, 4),
  objectId: filled(32, 5),
  objectVersion: 7,
  objectHeader: { suite: SUITE_GCM_CTR, frameBytes: 4096 - 16 },
} as const;

const hasher = () => {
  const hash = createHash("sha256");
  return { update: (bytes: Uint8Array) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
};

function sealed(workers: WorkerPool, plan: PlanOptions, bytes: Uint8Array) {
  return sealSource({ plan, source: bytesSource(bytes), seal: CONTEXT, workers, hasher: hasher() });
}

/** All batches at once, each in memory of its own; slots and roots as they are in the deal. */
async function fillAll({ fill }: ReturnType<typeof sealSource>, plan: PlanOptions, workers: WorkerPool) {
  const { header } = planObject(plan);
  const bytesPerSlot = ROWS_PER_BATCH * header.cellBytes;
  const shape = { slotCount: header.n, bytesPerSlot, isShared: workers.size > 0 };
  const pool = createArenaPool(shape, Number.POSITIVE_INFINITY);
  const parts = await Promise.all(
    batchesOf(header, ROWS_PER_BATCH).map(async (batch) => {
      const { slots } = await pool.acquire();
      const part = { slots: slots.map((slot) => slot.subarray(0, batch.length)) };
      return { slots: part.slots, roots: await fill(batch, part) };
    }),
  );
  const joined = (of: "slots" | "roots") =>
    Array.from({ length: header.n }, (_, at) => Buffer.concat(parts.map((part) => part[of][at] ?? new Uint8Array())));
  return { slots: joined("slots"), roots: joined("roots") };
}

/** The same without batches, threads or memory that is used again. */
async function sealedPlainly(plan: PlanOptions, bytes: Uint8Array) {
  const { header, frameCount, frame } = planObject(plan);
  const sealer = createSealer(CONTEXT, header.cellBytes);
  const coder = createErasureCoder(header, { kernel: "plain" });
  const slots: Uint8Array[][] = Array.from({ length: header.n }, () => []);
  for (let row = 0; row < header.rows; row += 1) {
    const length = cellLength(header, row);
    const data: Uint8Array[] = [];
    for (let cell = row * header.k; cell < (row + 1) * header.k; cell += 1) {
      const its = cell < frameCount ? frame(cell) : undefined;
      const plain = its === undefined ? new Uint8Array() : bytes.subarray(its.plainOffset, its.plainOffset + its.plainLength);
      data.push(await sealer.sealCell(cell, length, its, plain));
    }
    const coded = Array.from({ length: header.n - header.k }, () => new Uint8Array(length));
    coder.encode(data, coded);
    for (const [at, cell] of [...data, ...coded].entries()) slots[at]?.push(cell);
  }
  return {
    slots: slots.map((cells) => Buffer.concat(cells)),
    roots: slots.map((cells) => Buffer.concat(cells.map((cell) => cellRoot(header, cell)))),
  };
}

describe("sealing a source", function () {
  this.timeout(30_000);
  const plan = { sizeBytes: 160_001, k: 3, n: 5, cellBytes: 4096 };
  const bytes = filled(plan.sizeBytes, 9);
  let workers: WorkerPool;
  beforeEach(() => {
    workers = createWorkerPool(startWorker, 2);
  });
  afterEach(() => workers.close());

  it("gives the same slots and roots on this thread, on workers, and cell by cell", async () => {
    for (const sizeBytes of [1, 4080, 12_240, 12_241, 36_720, 160_001]) {
      const its = { ...plan, sizeBytes };
      const data = bytes.subarray(0, sizeBytes);
      const expected = await sealedPlainly(its, data);
      for (const pool of [createInlinePool(), workers]) {
        const source = sealed(pool, its, data);
        expect(await fillAll(source, its, pool), `${sizeBytes} bytes, ${pool.size} workers`).to.deep.equal(expected);
        expect(Buffer.from(source.digest())).to.deep.equal(createHash("sha256").update(data).digest());
      }
    }
  });

  it("does not seal other bytes under the same keys: a source that has changed is found before anything is sent", async () => {
    const changing = bytes.slice();
    const source = sealed(workers, plan, changing);
    const first = await fillAll(source, plan, workers);
    expect(await fillAll(source, plan, workers)).to.deep.equal(first);
    changing[100_000] = (changing[100_000] ?? 0) ^ 1;
    expect(await codeOf(() => fillAll(source, plan, workers))).to.equal("CONFLICT");
  });

  it("says when a source has become shorter", async () => {
    const short = {
      sizeBytes: bytes.length,
      read: async (offset: number, length: number) => bytes.subarray(offset, Math.min(offset + length, 50_000)),
    };
    const source = sealSource({ plan, source: short, seal: CONTEXT, workers, hasher: hasher() });
    expect(await codeOf(() => fillAll(source, plan, workers))).to.equal("TRUNCATED");
  });

  it("seals on this thread where none can be started", async () => {
    const none = createWorkerPool((events: WorkerEvents) => {
      return { send: () => events.onFailure(new Error("the bundle has no such file")), close: () => {} };
    }, 2);
    expect(await fillAll(sealed(none, plan, bytes), plan, none)).to.deep.equal(await sealedPlainly(plan, bytes));
    none.close();
  });

  it("fails the tasks of a thread that ends, and goes on with another", async () => {
    let sent = 0;
    const dying = createWorkerPool((events: WorkerEvents) => {
      const thread = startWorker(events);
      return {
        send: (task, transfer) => {
          sent += 1;
          if (sent === 3) events.onFailure(new Error("out of memory"));
          else thread.send(task, transfer);
        },
        close: () => thread.close(),
      };
    }, 1);
    const source = sealed(dying, plan, bytes);
    expect(await codeOf(() => fillAll(source, plan, dying))).to.equal("INTERNAL");
    const again = sealed(dying, plan, bytes);
    expect(await fillAll(again, plan, dying)).to.deep.equal(await sealedPlainly(plan, bytes));
    dying.close();
  });

  it("does not seal again what a thread has begun that never answered", async () => {
    const dying = createWorkerPool((events: WorkerEvents) => {
      const send = ({ task }: { readonly task: object }): void => {
        if ("begun" in task && task.begun instanceof Uint8Array) task.begun[0] = 1;
        events.onFailure(new Error("out of memory"));
      };
      return { send, close: () => {} };
    }, 1);
    expect(await codeOf(() => fillAll(sealed(dying, plan, bytes), plan, dying))).to.equal("INTERNAL");
    dying.close();
  });

  it("tells a worker's error, and keeps the worker", async () => {
    const bad = { ...plan, k: 0 };
    const task = { object: -1, seal: CONTEXT, plan: bad, firstRow: 0, rowCount: 1, slots: [], begun: new Uint8Array(1) };
    expect(await codeOf(() => workers.run("seal", task))).to.equal("BAD_FORMAT");
    const source = sealed(workers, plan, bytes);
    expect(await fillAll(source, plan, workers)).to.deep.equal(await sealedPlainly(plan, bytes));
  });

  it("fails what is under way when it is closed", async () => {
    const source = sealed(workers, plan, bytes);
    const filling = codeOf(() => fillAll(source, plan, workers));
    workers.close();
    expect(await filling).to.equal("CANCELLED");
  });
});
