/** A read's batches: all that is wanted and nothing twice, within the memory, and no more of them at once than are asked for. */
import { planObject } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";
import { BATCHES_AHEAD, type RowBatch, rowBatches } from "../../client/dist/get/row-batches.js";

const limits = { getBufferBytes: 1 << 20, requestBytesMax: 64 << 10 };

describe("batches of a read", () => {
  it("hold every frame of the range once, in order, in their rows, within the memory", () => {
    const sizes = fc.record({
      sizeBytes: fc.integer({ min: 1, max: 5_000_000 }),
      k: fc.integer({ min: 1, max: 20 }),
      cut: fc.array(fc.nat(), { minLength: 2, maxLength: 2 }),
    });
    fc.assert(
      fc.property(sizes, ({ sizeBytes, k, cut }) => {
        const plan = planObject({ sizeBytes, k, n: k + 3, cellBytes: 4096 });
        const [from = 0, end = 0] = cut.map((at) => at % sizeBytes).sort((a, b) => a - b);
        const batches = [...rowBatches(limits, plan, from, end + 1)];
        const frames = batches.flatMap(({ firstFrame, frameCount }) => Array.from({ length: frameCount }, (_, at) => firstFrame + at));
        const wanted = [plan.frameAt(from), plan.frameAt(end)] as const;
        expect(frames).to.deep.equal(Array.from({ length: wanted[1] - wanted[0] + 1 }, (_, at) => wanted[0] + at));
        for (const { firstRow, rowCount, firstFrame, frameCount } of batches) {
          const rows = [firstFrame, firstFrame + frameCount - 1].map((index) => Math.floor(plan.frame(index).cell / k));
          expect(rows).to.deep.equal([firstRow, firstRow + rowCount - 1]);
          expect(2 * BATCHES_AHEAD * rowCount * k * 4096).to.be.at.most(limits.getBufferBytes);
        }
        expect(batches[0]?.rowCount).to.equal(1);
      }),
    );
  });

  it("grow from one row, and are made as they are wanted: all of them would not fit", () => {
    const plan = planObject({ sizeBytes: 2 ** 43, k: 1, n: 2, cellBytes: 4096 });
    const first: RowBatch[] = [];
    for (const batch of rowBatches({ getBufferBytes: 1 << 20, requestBytesMax: 8 << 10 }, plan, 0, 2 ** 43))
      if (first.push(batch) === 4) break;
    expect(first.map(({ firstRow, rowCount }) => [firstRow, rowCount])).to.deep.equal([
      [0, 1],
      [1, 2],
      [3, 2],
      [5, 2],
    ]);
  });
});
