import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import {
  checkCommitment,
  createSealer,
  deriveApplicationSecret,
  frameOfCell,
  keysFromMnemonic,
  objectIdOf,
  unwrapKey,
  wrapKey,
  wrappingKey,
} from "@ppio/client";
import { isPpioError, planObject, SUITE_GCM_CTR } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";
import type { SealOrder } from "../support/client/seal-worker.ts";

const WORDS = "test test test test test test test test test test test junk";
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    return isPpioError(error) ? error.code : String(error);
  }
  return "accepted";
}

const context = (contentKey = random(32)) => ({
  contentKey,
  applicationSecret: random(32),
  salt: random(32),
  fillKey: random(32),
  objectId: random(32),
  objectVersion: 3,
  objectHeader: { suite: SUITE_GCM_CTR, frameBytes: 4080 },
});

describe("seal", () => {
  it("opens what it sealed, whatever the size", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 1, max: 5 }), async (sizeBytes, k) => {
        const plan = planObject({ sizeBytes, k, n: k + 1, cellBytes: 4096 });
        const source = random(sizeBytes);
        const sealer = createSealer(context(), 4096);
        for (let index = 0; index < plan.frameCount; index += 1) {
          const frame = plan.frame(index);
          const plain = source.subarray(frame.plainOffset, frame.plainOffset + frame.plainLength);
          const length = Math.floor(frame.cell / k) === plan.header.rows - 1 ? plan.header.lastCellBytes : 4096;
          const cell = await sealer.sealCell(frame.cell, length, frame, plain);
          expect(cell.length).to.equal(length);
          expect(await sealer.openFrame(frame, cell)).to.deep.equal(plain.slice());
        }
      }),
      { numRuns: 40 },
    );
  });

  it("seals into memory of the caller and in place, at once, and touches nothing else", async () => {
    const plan = planObject({ sizeBytes: 9_000, k: 2, n: 3, cellBytes: 4_096 });
    const sealer = createSealer(context(), 4_096);
    for (const [cell, length] of [
      [0, 4_096],
      [1, 4_096],
      [2, plan.header.lastCellBytes],
      [3, plan.header.lastCellBytes],
    ] as const) {
      const frame = frameOfCell(plan, cell);
      const plain = random(frame?.plainLength ?? 0);
      const expected = await sealer.sealCell(cell, length, frame, plain);
      const memory = new Uint8Array(length + 64).fill(0xee);
      memory.set(plain, 32);
      const target = memory.subarray(32, 32 + length);
      expect(sealer.sealInto(target, cell, frame, target.subarray(0, plain.length))).to.equal(undefined);
      expect(target).to.deep.equal(expected);
      expect(new Set([...memory.subarray(0, 32), ...memory.subarray(32 + length)])).to.deep.equal(new Set([0xee]));
    }
  });

  it("seals in a worker, in memory that both sides share", async () => {
    const plan = planObject({ sizeBytes: 9_000, k: 2, n: 3, cellBytes: 4_096 });
    const settings = context();
    const frame = plan.frame(1);
    const target = new Uint8Array(new SharedArrayBuffer(4_096));
    target.set(random(frame.plainLength));
    const expected = await createSealer(settings, 4_096).sealCell(frame.cell, 4_096, frame, target.slice(0, frame.plainLength));
    const order: SealOrder = { context: settings, cellBytes: 4_096, frame, target };
    const worker = new Worker(new URL("../support/client/seal-worker.ts", import.meta.url), { workerData: order });
    expect(await once(worker, "message")).to.deep.equal(["done at once"]);
    await worker.terminate();
    expect(target.slice()).to.deep.equal(expected);
  });

  it("seals and opens frames in any order to the same bytes", async () => {
    const plan = planObject({ sizeBytes: 40_000, k: 2, n: 3, cellBytes: 4_096 });
    const settings = context();
    const source = random(40_000);
    const plainOf = (index: number): Uint8Array => {
      const { plainOffset, plainLength } = plan.frame(index);
      return source.slice(plainOffset, plainOffset + plainLength);
    };
    const sealAll = async (order: readonly number[]): Promise<Map<number, Uint8Array>> => {
      const sealer = createSealer(settings, 4_096);
      const cells = new Map<number, Uint8Array>();
      for (const index of order) {
        const frame = plan.frame(index);
        const length = frame.cell >= (plan.header.rows - 1) * 2 ? plan.header.lastCellBytes : 4_096;
        cells.set(index, await sealer.sealCell(frame.cell, length, frame, plainOf(index)));
      }
      return cells;
    };
    const ascending = Array.from({ length: plan.frameCount }, (_, index) => index);
    const cells = await sealAll(ascending);
    expect(new Map([...(await sealAll(ascending.toReversed()))].reverse())).to.deep.equal(cells);
    const opener = createSealer(settings, 4_096);
    for (const index of [5, 0, 9, 1, 2, plan.frameCount - 1, 0])
      expect(await opener.openFrame(plan.frame(index), cells.get(index) ?? source)).to.deep.equal(plainOf(index));
  });

  it("refuses any changed byte, another place, another application", async () => {
    const plan = planObject({ sizeBytes: 9000, k: 2, n: 3, cellBytes: 4096 });
    const settings = context();
    const sealer = createSealer(settings, 4096);
    const cell = await sealer.sealCell(0, 4096, plan.frame(0), random(4080));
    for (const at of [0, 100, 4095]) {
      const bent = cell.slice();
      bent[at] = (bent[at] ?? 0) ^ 1;
      expect(await codeOf(sealer.openFrame(plan.frame(0), bent))).to.equal("CORRUPT");
    }
    expect(await codeOf(sealer.openFrame(plan.frame(1), cell))).to.equal("CORRUPT");
    expect(await codeOf(createSealer({ ...settings, applicationSecret: random(32) }, 4096).openFrame(plan.frame(0), cell))).to.equal(
      "CORRUPT",
    );
    expect(await codeOf(createSealer({ ...settings, objectVersion: 4 }, 4096).openFrame(plan.frame(0), cell))).to.equal("CORRUPT");
  });

  it("never gives the same bytes twice, and fills gaps with noise", async () => {
    const plan = planObject({ sizeBytes: 1, k: 2, n: 3, cellBytes: 4096 });
    const plain = new Uint8Array(1);
    const key = random(32);
    const first = await createSealer(context(key), 4096).sealCell(0, 128, plan.frame(0), plain);
    const second = await createSealer(context(key), 4096).sealCell(0, 128, plan.frame(0), plain);
    expect(first).to.not.deep.equal(second);
    const empty = await createSealer(context(), 4096).sealCell(1, 128, frameOfCell(plan, 1), new Uint8Array());
    expect(new Set(empty).size).to.be.greaterThan(60);
  });

  it("tells a wrong content key before it opens anything", async () => {
    const settings = context();
    const { commitment } = createSealer(settings, 4096);
    checkCommitment(createSealer(settings, 4096), commitment);
    expect(await codeOf(() => checkCommitment(createSealer({ ...settings, contentKey: random(32) }, 4096), commitment))).to.equal(
      "WRONG_KEY",
    );
  });
});

describe("keys", () => {
  const { wallet, masterSecret } = keysFromMnemonic(WORDS);

  it("derive wallet and master secret apart from one mnemonic", () => {
    expect(wallet.address).to.equal("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    expect(Buffer.from(masterSecret).toString("hex")).to.not.equal(wallet.privateKey.slice(2));
    expect(keysFromMnemonic(`  ${WORDS} `).masterSecret).to.deep.equal(masterSecret);
  });

  it("differ for every bucket, path, purpose, application and user", () => {
    const all = [
      wrappingKey(masterSecret, "a", "b/c"),
      wrappingKey(masterSecret, "a", "b"),
      wrappingKey(masterSecret, "b", "b/c"),
      objectIdOf(masterSecret, "a", "b/c"),
      deriveApplicationSecret(masterSecret, "app", wallet.address),
      deriveApplicationSecret(masterSecret, "app2", wallet.address),
    ].map((key) => Buffer.from(key).toString("hex"));
    expect(new Set(all).size).to.equal(all.length);
  });

  it("wrap and unwrap, and say when a key is wrong", async () => {
    const secret = random(32);
    const wrapped = await wrapKey(masterSecret, secret, random(0), random);
    expect(await unwrapKey(masterSecret, wrapped, random(0))).to.deep.equal(secret);
    expect(await codeOf(unwrapKey(random(32), wrapped, random(0)))).to.equal("WRONG_KEY");
    expect(await codeOf(() => keysFromMnemonic("no such words"))).to.equal("USAGE");
  });
});
