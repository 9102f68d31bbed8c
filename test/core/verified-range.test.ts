/** Reading an answer: nothing comes back that does not hold against the slot's root, and a read of a leaf's unit is the leaf's proof. */
import {
  type AnswerReader,
  answerReader,
  buildLeafProof,
  cellLength,
  cellPartProof,
  cellRunProof,
  encodeAnswerHead,
  encodeCellSiblings,
  LEAF_BYTES,
  leafCountOf,
  leafProofOfUnit,
  NODE_BYTES,
  readVerifiedRange,
  type SlotRange,
  type SlotShape,
  SlotTreeBuilder,
  slotBytes,
  unitOffsetOf,
  verifyLeafProof,
} from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";
import { codeOf } from "../support/code-of.ts";

const SHAPES: readonly SlotShape[] = [
  { cellBytes: 4_096, lastCellBytes: 4_096, rows: 4 },
  { cellBytes: 4_096, lastCellBytes: 384, rows: 3 },
  { cellBytes: 4_096, lastCellBytes: 128, rows: 2 },
  { cellBytes: 4_096, lastCellBytes: 128, rows: 1 },
  { cellBytes: 4_096, lastCellBytes: 640, rows: 1 },
];

interface Slot {
  readonly shape: SlotShape;
  readonly data: Uint8Array;
  readonly roots: Uint8Array;
  readonly root: Uint8Array;
}

function slotOf(shape: SlotShape): Slot {
  const data = Uint8Array.from({ length: slotBytes(shape) }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
  const tree = new SlotTreeBuilder(shape);
  const roots = tree.push(data);
  return { shape, data, roots, root: tree.finish().root };
}

/** What an honest provider sends for the range. */
function honestAnswer({ shape, data, roots }: Slot, offset: number, length: number): Uint8Array {
  const first = Math.floor(offset / shape.cellBytes);
  const last = Math.floor((offset + length - 1) / shape.cellBytes);
  const cellRoots = Array.from({ length: last - first + 1 }, (_, at) =>
    roots.slice((first + at) * NODE_BYTES, (first + at + 1) * NODE_BYTES),
  );
  const siblings = cellRunProof(shape, roots, first, last - first + 1);
  const parts = [encodeAnswerHead({ cellRoots, siblings, servedAt: 1, signature: new Uint8Array(65) })];
  for (let row = first; row <= last; row += 1) {
    const start = row * shape.cellBytes;
    const cell = data.subarray(start, start + cellLength(shape, row));
    const from = Math.max(0, offset - start);
    const to = Math.min(cell.length, offset + length - start);
    parts.push(encodeCellSiblings(cellPartProof(shape, cell, from, to - from)), cell.subarray(from, to));
  }
  return new Uint8Array(Buffer.concat(parts));
}

function readerOf(bytes: Uint8Array): AnswerReader {
  return answerReader(
    (async function* () {
      for (let at = 0; at < bytes.length; at += 777) yield bytes.subarray(at, at + 777);
    })(),
  );
}

const read = (bytes: Uint8Array, { shape, root }: Slot, offset: number, length: number) =>
  readVerifiedRange(readerOf(bytes), { shape, root, offset, length } satisfies SlotRange, { who: "Provider 1" });

describe("a verified range", () => {
  const anyRange = fc.integer({ min: 0, max: SHAPES.length - 1 }).chain((at) => {
    const slot = slotOf(SHAPES[at] ?? { cellBytes: 4_096, lastCellBytes: 128, rows: 1 });
    const units = slotBytes(slot.shape) / 128;
    return fc
      .tuple(fc.integer({ min: 0, max: units - 1 }), fc.integer({ min: 0, max: units - 1 }))
      .map(([a, b]) => ({ slot, offset: 128 * Math.min(a, b), length: 128 * (Math.abs(a - b) + 1) }));
  });

  it("gives the bytes of any run of units", async () => {
    await fc.assert(
      fc.asyncProperty(anyRange, async ({ slot, offset, length }) => {
        const { bytes } = await read(honestAnswer(slot, offset, length), slot, offset, length);
        expect(Buffer.from(bytes).equals(slot.data.subarray(offset, offset + length))).to.equal(true);
      }),
      { numRuns: 60 },
    );
  });

  it("gives nothing when a bit of a root, a sibling or the bytes is another one, when it is cut, and when it goes on", async () => {
    await fc.assert(
      fc.asyncProperty(anyRange, fc.nat(), async ({ slot, offset, length }, seed) => {
        const answer = honestAnswer(slot, offset, length);
        const changed = answer.slice();
        // Of the head, the time and the signature are nobody's root.
        const at = 80 + (seed % (answer.length - 80));
        changed[at] = (changed[at] ?? 0) ^ (1 << (seed % 8));
        expect(await codeOf(read(changed, slot, offset, length))).to.be.oneOf(["CORRUPT", "BAD_FORMAT", "TRUNCATED"]);
        expect(await codeOf(read(answer.subarray(0, answer.length - 1), slot, offset, length))).to.equal("TRUNCATED");
        expect(await codeOf(read(Buffer.concat([answer, new Uint8Array(1)]), slot, offset, length))).to.equal("BAD_FORMAT");
      }),
      { numRuns: 60 },
    );
  });

  it("shows every leaf by a read of its unit", async () => {
    for (const slot of SHAPES.map(slotOf)) {
      const { shape, data, roots, root } = slot;
      const leafCount = leafCountOf(shape);
      for (let leaf = 0; leaf < leafCount; leaf += 1) {
        const offset = unitOffsetOf(leaf);
        const proof = leafProofOfUnit(shape, leaf, await read(honestAnswer(slot, offset, 128), slot, offset, 128));
        const row = Math.floor((leaf * LEAF_BYTES) / shape.cellBytes);
        const cell = data.subarray(row * shape.cellBytes, row * shape.cellBytes + cellLength(shape, row));
        expect(verifyLeafProof({ root, leafCount }, leaf, proof), `leaf ${leaf}`).to.equal(true);
        expect(proof).to.deep.equal(buildLeafProof(shape, roots, cell, leaf));
      }
    }
  });
});
