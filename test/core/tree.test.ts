import { createHash, randomBytes } from "node:crypto";
import type { SlotShape } from "@ppio/core";
import {
  buildLeafProof,
  cellPartProof,
  cellPartProofLength,
  cellRoot,
  cellRoots,
  cellRunProof,
  isPpioError,
  LEAF_BYTES,
  leafCountOf,
  NODE_BYTES,
  SlotTreeBuilder,
  slotBytes,
  slotRoot,
  treeDepth,
  verifyCellPart,
  verifyCellRun,
  verifyLeafProof,
  zeroNode,
} from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";

const sha = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

/** The slow twin: the whole tree over all leaves, as docs/protocol/tree.md says it. */
function naiveRoot(bytes: Uint8Array): Uint8Array {
  let level: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += LEAF_BYTES) level.push(sha(bytes.subarray(at, at + LEAF_BYTES)));
  const size = 2 ** treeDepth(level.length);
  while (level.length < size) level.push(zeroNode(0));
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, index) =>
      sha(level[2 * index] ?? zeroNode(0), level[2 * index + 1] ?? zeroNode(0)),
    );
  }
  return level[0] ?? zeroNode(0);
}

const shapes = fc
  .record({ log: fc.integer({ min: 7, max: 10 }), rows: fc.integer({ min: 1, max: 9 }), units: fc.integer({ min: 1, max: 8 }) })
  .map(({ log, rows, units }): SlotShape => ({ cellBytes: 2 ** log, lastCellBytes: Math.min(units * 128, 2 ** log), rows }));

function build(shape: SlotShape) {
  const bytes = new Uint8Array(randomBytes(slotBytes(shape)));
  const builder = new SlotTreeBuilder(shape);
  const cells = Array.from({ length: shape.rows }, (_, row) => bytes.subarray(row * shape.cellBytes, (row + 1) * shape.cellBytes));
  const roots = new Uint8Array(NODE_BYTES * shape.rows);
  cells.forEach((cell, row) => {
    roots.set(builder.push(cell), NODE_BYTES * row);
  });
  return { bytes, cells, roots, commitment: builder.finish() };
}

function throwsCorrupt(action: () => void): void {
  try {
    action();
  } catch (error) {
    expect(isPpioError(error, "CORRUPT") || isPpioError(error, "BAD_FORMAT"), String(error)).to.equal(true);
    return;
  }
  expect.fail("was accepted");
}

describe("slot tree", () => {
  it("has Z0 = SHA-256 of 64 zero bytes", () => {
    expect(zeroNode(0)).to.deep.equal(sha(new Uint8Array(64)));
    expect(zeroNode(1)).to.deep.equal(sha(zeroNode(0), zeroNode(0)));
  });

  it("builds cell by cell what the whole tree has as root", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { bytes, roots, commitment } = build(shape);
        expect(commitment.root).to.deep.equal(naiveRoot(bytes));
        expect(slotRoot(shape, roots)).to.deep.equal(commitment.root);
        expect(commitment.leafCount).to.equal(leafCountOf(shape));
      }),
    );
  });

  it("takes any number of cells at a time, and any number of rows", () => {
    const wide = fc.record({
      log: fc.integer({ min: 7, max: 9 }),
      rows: fc.integer({ min: 1, max: 300 }),
      units: fc.integer({ min: 1, max: 4 }),
    });
    const property = fc.property(wide, fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1 }), ({ log, rows, units }, runs) => {
      const shape = { cellBytes: 2 ** log, lastCellBytes: Math.min(units * 128, 2 ** log), rows };
      const { bytes, roots, commitment } = build(shape);
      const builder = new SlotTreeBuilder(shape);
      let row = 0;
      for (let turn = 0; row < rows; turn += 1) {
        const count = Math.min(runs[turn % runs.length] ?? 1, rows - row);
        const pushed = builder.push(bytes.subarray(row * shape.cellBytes, (row + count) * shape.cellBytes));
        expect(pushed).to.deep.equal(roots.subarray(row * NODE_BYTES, (row + count) * NODE_BYTES));
        row += count;
      }
      expect(builder.finish()).to.deep.equal(commitment);
      expect(commitment.root).to.deep.equal(naiveRoot(bytes));
    });
    const ends = [63, 64, 65, 127, 128, 129, 192, 256, 300];
    fc.assert(property, { numRuns: 60, examples: ends.map((rows) => [{ log: 7, rows, units: 1 }, [rows, 64]]) });
  });

  it("hashes runs longer than the cache's share as it hashes short ones", () => {
    const shape = { cellBytes: 65_536, lastCellBytes: 640, rows: 8 };
    const { bytes, roots, commitment } = build(shape);
    const builder = new SlotTreeBuilder(shape);
    expect(builder.push(bytes)).to.deep.equal(roots);
    expect(builder.finish()).to.deep.equal(commitment);
    expect(commitment.root).to.deep.equal(naiveRoot(bytes));
  });

  it("refuses a cell of the wrong length and an unfinished slot", () => {
    const shape = { cellBytes: 256, lastCellBytes: 128, rows: 2 };
    const builder = new SlotTreeBuilder(shape);
    for (const length of [0, 64, 128, 255, 320, 512]) {
      expect(() => builder.push(new Uint8Array(length)), `${length}`).to.throw("does not allow");
    }
    builder.push(new Uint8Array(256));
    expect(() => builder.finish()).to.throw("Only 1 of 2");
  });

  it("proves any leaf, and nothing else", () => {
    fc.assert(
      fc.property(shapes, fc.nat(), fc.nat(), (shape, pick, flip) => {
        const { cells, roots, commitment } = build(shape);
        const leafIndex = pick % commitment.leafCount;
        const row = Math.floor((leafIndex * LEAF_BYTES) / shape.cellBytes);
        const proof = buildLeafProof(shape, roots, cells[row] ?? new Uint8Array(), leafIndex);
        expect(proof.siblings.length).to.equal(treeDepth(commitment.leafCount));
        expect(verifyLeafProof(commitment, leafIndex, proof)).to.equal(true);
        expect(verifyLeafProof(commitment, (leafIndex + 1) % commitment.leafCount, proof)).to.equal(commitment.leafCount === 1);
        const leaf = proof.leaf.slice();
        leaf[flip % LEAF_BYTES] = (leaf[flip % LEAF_BYTES] ?? 0) ^ 1;
        expect(verifyLeafProof(commitment, leafIndex, { ...proof, leaf })).to.equal(false);
        expect(verifyLeafProof(commitment, leafIndex, { ...proof, siblings: [...proof.siblings, zeroNode(0)] })).to.equal(false);
      }),
    );
  });

  it("proves any run of cells and any run of units in a cell, and rejects changed bytes, siblings and places", () => {
    fc.assert(
      fc.property(shapes, fc.nat(), fc.nat(), fc.nat(), (shape, a, b, flip) => {
        const { bytes, cells, roots, commitment } = build(shape);
        const first = a % shape.rows;
        const count = 1 + (b % (shape.rows - first));
        const run = roots.slice(first * NODE_BYTES, (first + count) * NODE_BYTES);
        expect(cellRoots(shape, first, bytes.subarray(first * shape.cellBytes, (first + count) * shape.cellBytes))).to.deep.equal(run);
        const siblings = cellRunProof(shape, roots, first, count);
        verifyCellRun(shape, commitment.root, first, run, siblings);
        throwsCorrupt(() => verifyCellRun(shape, commitment.root, first, run, [...siblings, zeroNode(0)]));
        if (siblings.length > 0) throwsCorrupt(() => verifyCellRun(shape, commitment.root, first, run, siblings.slice(1)));
        const bent = run.slice();
        bent[flip % bent.length] = (bent[flip % bent.length] ?? 0) ^ 1;
        throwsCorrupt(() => verifyCellRun(shape, commitment.root, first, bent, siblings));

        const cell = cells[first] ?? new Uint8Array();
        const root = cellRoot(shape, cell);
        const units = cell.length / 128;
        const offset = 128 * (b % units);
        const length = 128 * (1 + (a % (units - offset / 128)));
        const part = cell.slice(offset, offset + length);
        const path = cellPartProof(shape, cell, offset, length);
        expect(cellPartProofLength(shape, first, offset, length)).to.equal(path.length);
        verifyCellPart(shape, first, root, offset, part, path);
        part[flip % length] = (part[flip % length] ?? 0) ^ 0x80;
        throwsCorrupt(() => verifyCellPart(shape, first, root, offset, part, path));
      }),
    );
  });
});
