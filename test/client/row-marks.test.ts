/** Marks of rows: kept before a row may be sent, in order, and held against whatever comes later. */
import { expect } from "chai";
import { MARK_BYTES } from "../../client/dist/put/attempt-store.js";
import { createRowMarks } from "../../client/dist/put/row-marks.js";
import { codeOf } from "../support/code-of.ts";

const ROWS = 7;
const SLOTS = 3;

/** Roots of rows, per slot, as a task returns them. */
const rootsOf = (firstRow: number, rowCount: number, seed = 0): Uint8Array[] =>
  Array.from({ length: SLOTS }, (_, slot) => {
    const roots = new Uint8Array(rowCount * 32);
    for (let at = 0; at < rowCount; at += 1) roots.fill(firstRow + at + 16 * slot + seed, at * 32, (at + 1) * 32);
    return roots;
  });

/** A store whose writes end when they are told to. */
function slowStore() {
  const pending: (() => void)[] = [];
  const kept: Uint8Array[] = [];
  const append = (marks: Uint8Array): Promise<void> =>
    new Promise((resolve) =>
      pending.push(() => {
        kept.push(marks);
        resolve();
      }),
    );
  return { append, pending, kept, bytes: () => Buffer.concat(kept) };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("marks of rows", () => {
  it("lets a row go when its mark is kept, not before, and keeps those together that are there by then", async () => {
    const store = slowStore();
    const marks = createRowMarks({ rows: ROWS, append: store.append });
    const gone: number[] = [];
    const passing = [0, 2, 4].map((row) => marks.pass(row, 2, rootsOf(row, 2)).then(() => gone.push(row)));
    await settle();
    expect([gone, store.pending.length]).to.deep.equal([[], 1]);
    store.pending.shift()?.();
    await settle();
    expect([gone, store.pending.length]).to.deep.equal([[0], 1]);
    store.pending.shift()?.();
    await Promise.all(passing);
    expect(store.kept.map(({ length }) => length / MARK_BYTES)).to.deep.equal([2, 4]);
  });

  it("keeps rows in order whatever order they come in", async () => {
    const store = slowStore();
    const marks = createRowMarks({ rows: ROWS, append: store.append });
    const late = [marks.pass(5, 2, rootsOf(5, 2)), marks.pass(3, 2, rootsOf(3, 2))];
    await settle();
    expect(store.pending).to.have.length(0);
    const first = marks.pass(0, 3, rootsOf(0, 3));
    while (store.bytes().length < ROWS * MARK_BYTES) {
      await settle();
      store.pending.shift()?.();
    }
    await Promise.all([first, ...late]);
    const one = slowStore();
    const whole = createRowMarks({ rows: ROWS, append: one.append }).pass(0, ROWS, rootsOf(0, ROWS));
    await settle();
    one.pending.shift()?.();
    await whole;
    expect(store.bytes().equals(one.bytes())).to.equal(true);
  });

  it("refuses a row that is not what it was, in this attempt or in the one before", async () => {
    const store = slowStore();
    const before = createRowMarks({ rows: ROWS, append: store.append });
    const passing = before.pass(0, 4, rootsOf(0, 4));
    await settle();
    store.pending.shift()?.();
    await passing;
    expect(await codeOf(() => before.pass(1, 2, rootsOf(1, 2, 1)))).to.equal("CONFLICT");

    const again = createRowMarks({ rows: ROWS, known: store.bytes(), append: store.append });
    await again.pass(0, 4, rootsOf(0, 4));
    expect(await codeOf(() => again.pass(3, 2, rootsOf(3, 2, 1)))).to.equal("CONFLICT");
    expect(store.pending).to.have.length(0);
  });

  it("fails rows whose marks cannot be kept", async () => {
    const full = createRowMarks({ rows: ROWS, append: () => Promise.reject(new Error("disk full")) });
    const failed = await full.pass(0, 2, rootsOf(0, 2)).catch((error: unknown) => error);
    expect(String(failed)).to.contain("disk full");
  });
});
