/** What a slot's cells are held against: roots, and sums of what had them. */
import { planRecord, SlotTreeBuilder, slotBytes } from "@ppio/core";
import { expect } from "chai";
import { HashedCells, hashWholeCells } from "../../provider/dist/store/hashed-cells.js";
import { HeldTree } from "../../provider/dist/store/held-tree.js";

describe("the tree of a slot that has just come in", () => {
  const { header } = planRecord({ sizeBytes: 50_000, k: 2, n: 3, cellBytes: 4096 });
  const bytes = new Uint8Array(slotBytes(header)).map((_, at) => (at * 13 + (at >> 8)) & 0xff);
  const roots = new SlotTreeBuilder(header).push(bytes);
  const cell = (row: number): Uint8Array => bytes.slice(row * header.cellBytes, (row + 1) * header.cellBytes);

  it("knows every cell by its sum, in whatever pieces they came", () => {
    const hashed = new HashedCells(header);
    for (const [from, to] of [
      [0, 2],
      [2, header.rows],
    ] as const) {
      const offset = from * header.cellBytes;
      const run = hashWholeCells(header, offset, bytes.subarray(offset, to * header.cellBytes)) ?? expect.fail("whole cells");
      hashed.set(run);
    }
    expect(hashed.roots).to.deep.equal(roots);
    // With roots that nothing hashes to, only sums can tell.
    const tree = new HeldTree(header, new Uint8Array(roots.length), hashed.sums);
    const cells = Array.from({ length: header.rows }, (_, row) => cell(row));
    expect(tree.countWholeFast(0, cells)).to.equal(header.rows);
    expect(tree.countWhole(0, cells)).to.equal(0);
  });

  it("finds one flipped bit, and takes a cell by its root where the sum is wrong", () => {
    const tree = new HeldTree(header, roots, new Uint32Array(header.rows));
    const flipped = cell(1);
    flipped[7] = (flipped[7] ?? 0) ^ 4;
    expect(tree.countWholeFast(0, [cell(0), flipped])).to.equal(1);
    expect(tree.countWholeFast(0, [cell(0), cell(1)])).to.equal(2);
  });
});
