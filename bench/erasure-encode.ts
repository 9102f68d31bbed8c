/** How fast is encoding on one thread, beside Intel ISA-L with AVX2? GB/s of data, cells of 16 KiB. */
import { createErasureCoder } from "@ppio/core";
import { compare, rateOf } from "./support/interleave.ts";
import { startIsal } from "./support/isal.ts";
import { CELL_BYTES, randomSegment } from "./support/segment.ts";

const QUESTIONS = [
  { k: 10, n: 16, target: 1 },
  { k: 20, n: 40, target: 1 },
  { k: 29, n: 80, target: 1.5 },
];

const isal = startIsal();
for (const { k, n, target } of isal === undefined ? [] : QUESTIONS) {
  for (const inside of [true, false]) {
    const { memory, cells } = randomSegment(n, inside);
    const coder = createErasureCoder({ k, n }, { memory });
    const [data, coded] = [cells.slice(0, k), cells.slice(k)];
    await compare({
      name: `encode ${k}/${n}, ${inside ? "in memory" : "copied"}`,
      ours: () => rateOf(() => coder.encode(data, coded), k * CELL_BYTES),
      peer: () => isal?.rate(k, n, n - k, CELL_BYTES) ?? 0,
      target,
    });
  }
}
isal?.close();
