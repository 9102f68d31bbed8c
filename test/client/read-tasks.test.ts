/** What is computed for a read: the same on this thread and on workers, and damage is called by its name on both. */
import { planObject, SUITE_GCM_CTR } from "@ppio/core";
import { expect } from "chai";
import { createRoom } from "../../client/dist/get/room.js";
import { startWorker } from "../../client/dist/workers/platform.node.js";
import { createInlinePool, createWorkerPool, type WorkerPool } from "../../client/dist/workers/pool.js";
import { newObject } from "../../client/dist/workers/tasks.js";
import { codeOf } from "../support/code-of.ts";

const filled = (length: number, seed: number): Uint8Array => new Uint8Array(length).map((_, at) => (at * 31 + seed * 7 + (at >> 8)) & 0xff);
const plan = { sizeBytes: 100_001, k: 3, n: 5, cellBytes: 4096 };
const { header, frameCount, frame } = planObject(plan);
const seal = {
  contentKey: filled(32, 1),
  applicationSecret: filled(32, 2),
  salt: filled(32, 3),
  fillKey: filled(32, 4),
  objectId: filled(32, 5),
  objectVersion: 7,
  objectHeader: { suite: SUITE_GCM_CTR, frameBytes: 4096 - 16 },
};
const plain = filled(plan.sizeBytes, 9);

/** All rows of a sealed object, in one batch. */
async function sealed() {
  const bytesPerSlot = (header.rows - 1) * header.cellBytes + header.lastCellBytes;
  const slots = Array.from({ length: header.n }, () => new Uint8Array(new SharedArrayBuffer(bytesPerSlot)));
  for (let index = 0; index < frameCount; index += 1) {
    const { cell, plainOffset, plainLength } = frame(index);
    const inSlot = Math.floor(cell / header.k) * header.cellBytes;
    slots[cell % header.k]?.set(plain.subarray(plainOffset, plainOffset + plainLength), inSlot);
  }
  const object = { object: newObject(), seal, plan };
  const roots = await createInlinePool().run("seal", { ...object, firstRow: 0, rowCount: header.rows, slots, begun: new Uint8Array(1) });
  const data = slots.slice(0, header.k).map((cells, slotIndex) => ({ slotIndex, cells }));
  return { object, roots, slots, opening: { ...object, firstFrame: 0, frameCount, firstRow: 0, slots: data } };
}

describe("reading's tasks", () => {
  const pools: [name: string, pool: WorkerPool][] = [
    ["this thread", createInlinePool()],
    ["workers", createWorkerPool(startWorker, 2)],
  ];
  after(() => {
    for (const [, pool] of pools) pool.close();
  });

  for (const [name, pool] of pools) {
    it(`open what was sealed, all of it or some frames in the middle, on ${name}`, async () => {
      const { opening } = await sealed();
      const { frames, slots } = await pool.run("open", opening);
      expect(Buffer.concat(frames).equals(plain)).to.equal(true);
      const some = await pool.run("open", { ...opening, slots, firstFrame: 4, frameCount: 3 });
      expect(some.frames).to.deep.equal(frames.slice(4, 7));
    });

    it(`open what any k slots rebuild, on ${name}`, async () => {
      const { opening, slots } = await sealed();
      const kept = [1, 3, 4].map((slotIndex) => ({ slotIndex, cells: slots[slotIndex] ?? new Uint8Array() }));
      const opened = await pool.run("open", { ...opening, slots: kept });
      expect(Buffer.concat(opened.frames).equals(plain)).to.equal(true);
      expect(await codeOf(() => pool.run("open", { ...opening, slots: opened.slots.slice(1) }))).to.equal("INTERNAL");
    });

    it(`know cells by their roots, and find one flipped bit, on ${name}`, async () => {
      const { slots, roots } = await sealed();
      for (const [at, cells] of slots.entries()) {
        const task = { header, firstRow: 0, cells, roots: roots[at] ?? new Uint8Array() };
        expect(await pool.run("check", task)).to.equal(true);
        cells[cells.length - 1] = (cells.at(-1) ?? 0) ^ 1;
        expect(await pool.run("check", task)).to.equal(false);
      }
    });

    it(`call a frame that does not open corrupt, on ${name}`, async () => {
      const { opening } = await sealed();
      const [first] = opening.slots;
      if (first !== undefined) first.cells[0] = (first.cells[0] ?? 0) ^ 1;
      expect(await codeOf(() => pool.run("open", opening))).to.equal("CORRUPT");
    });
  }

  it("get memory from a thread that has answered before, and give it back", async () => {
    const pool = createWorkerPool(startWorker, 1);
    try {
      const { opening } = await sealed();
      const own = opening.slots.map(({ slotIndex, cells }) => ({ slotIndex, cells: cells.slice() }));
      const first = await pool.run("open", { ...opening, slots: own });
      expect(
        own.map(({ cells }) => cells.length),
        "copied while the thread may still fail to start",
      ).not.to.include(0);
      const second = pool.run("open", { ...opening, slots: first.slots });
      expect(first.slots.map(({ cells }) => cells.length)).to.deep.equal([0, 0, 0]);
      expect((await second).slots).to.deep.equal(own);
    } finally {
      pool.close();
    }
  });
});

describe("the memory of a read", () => {
  it("is used again, and dropped when it has become too small", () => {
    const room = createRoom();
    const first = room.take(100);
    room.give(first);
    const second = room.take(60);
    expect([second.buffer === first.buffer, second.length]).to.deep.equal([true, 60]);
    room.give(second);
    expect(room.take(100).buffer).to.equal(first.buffer);
    room.give(first);
    expect(room.take(101).buffer).not.to.equal(first.buffer);
    expect(room.take(100).buffer, "what was too small is gone").not.to.equal(first.buffer);
  });
});
