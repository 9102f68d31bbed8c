/** A batch of rows to seal, what it costs part by part with bare calls, and a thread that does nothing else. */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, randomFillSync } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { hashInto } from "@chainsafe/hashtree";
import { createErasureCoder, NODE_BYTES, planObject, SimdMemory, SUITE_GCM_CTR } from "@ppio/core";
import { createTaskRunner, type SealTask } from "../../client/dist/workers/tasks.js";

export const CODE = { k: 10, n: 16, cellBytes: 65_536 };
/** As a put with two workers has them. */
export const ROWS = 6;
const FRAME_BYTES = CODE.cellBytes - 16;
/** Of plaintext. */
export const BATCH_BYTES = ROWS * CODE.k * FRAME_BYTES;

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

export function sealContext(frameBytes = FRAME_BYTES) {
  return {
    contentKey: random(32),
    applicationSecret: random(32),
    salt: random(32),
    fillKey: random(32),
    objectId: random(32),
    objectVersion: 1,
    objectHeader: { suite: SUITE_GCM_CTR, frameBytes },
  };
}

/** The first rows of an object, in memory that threads can share. */
export function sealTask(object: number): SealTask {
  const shared = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length));
  const slots = Array.from({ length: CODE.n }, () => shared(ROWS * CODE.cellBytes));
  for (const slot of slots) for (let at = 0; at < slot.length; at += CODE.cellBytes) slot.set(random(CODE.cellBytes), at);
  const plan = { sizeBytes: 2 * BATCH_BYTES, ...CODE };
  return { object, seal: sealContext(), plan, firstRow: 0, rowCount: ROWS, slots, begun: shared(1) };
}

/** To be sealed once more: what is in its cells does not matter here. */
export function anew(task: SealTask): SealTask {
  task.begun[0] = 0;
  return task;
}

/** The same work by bare calls: each returns after one batch. */
export function bareParts(): { seal(): void; open(): void; code(): void; tree(): void; check(): void } {
  const { k, n, cellBytes } = CODE;
  const [gcmKey, ctrKey] = [createSecretKey(random(32)), createSecretKey(random(32))];
  const [nonce, counter] = [random(12), new Uint8Array(16)];
  const frame = random(FRAME_BYTES);
  const memory = new SimdMemory(n * cellBytes);
  const cells = Array.from({ length: n }, () => randomFillSync(memory.allocate(cellBytes)));
  const coder = createErasureCoder(planObject({ sizeBytes: 1, ...CODE }).header, { memory });
  const levels = [new Uint8Array(cellBytes / 2), new Uint8Array(cellBytes / 4)] as const;
  const hash = (some: readonly Uint8Array[]): void => {
    for (const cell of some) {
      let from: Uint8Array = cell;
      for (let level = 0; from.length > NODE_BYTES; level += 1) {
        const to = (levels[level % 2] ?? cell).subarray(0, from.length / 2);
        hashInto(from, to);
        from = to;
      }
    }
  };
  const opened = createCipheriv("aes-256-gcm", gcmKey, nonce);
  const sealed = opened.update(frame);
  opened.final();
  const tag = opened.getAuthTag();
  return {
    seal() {
      for (let at = 0; at < ROWS * k; at += 1) {
        const inner = createCipheriv("aes-256-gcm", gcmKey, nonce);
        const sealed = inner.update(frame);
        inner.final();
        const tag = inner.getAuthTag();
        const outer = createCipheriv("aes-256-ctr", ctrKey, counter);
        const body = outer.update(sealed);
        outer.update(tag);
        // What node:crypto made is freed at once, as ours is: else the collector is what is timed.
        for (const { buffer } of [sealed, body]) buffer.transfer(0);
      }
    },
    code() {
      for (let row = 0; row < ROWS; row += 1) coder.encode(cells.slice(0, k), cells.slice(k));
    },
    open() {
      for (let at = 0; at < ROWS * k; at += 1) {
        const outer = createCipheriv("aes-256-ctr", ctrKey, counter);
        const body = outer.update(sealed);
        const inner = createDecipheriv("aes-256-gcm", gcmKey, nonce);
        inner.setAuthTag(tag);
        const plain = inner.update(sealed);
        inner.final();
        for (const { buffer } of [body, plain]) buffer.transfer(0);
      }
    },
    tree() {
      for (let row = 0; row < ROWS; row += 1) hash(cells);
    },
    check() {
      for (let row = 0; row < ROWS; row += 1) hash(cells.slice(0, k));
    },
  };
}

/** As a thread: seals the same batch until it is told how often, and says when it is done. */
if (workerData === "seal") {
  const runner = createTaskRunner();
  const task = sealTask(1);
  parentPort?.on("message", (times: number) => {
    for (let run = 0; run < times; run += 1) runner.seal(anew(task));
    parentPort?.postMessage("done");
  });
}
