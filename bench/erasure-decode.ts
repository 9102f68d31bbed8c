/** How fast is decoding on one thread, beside Intel ISA-L with AVX2: the worst loss, and one cell lost? GB/s of data, cells of 16 KiB. */
import { createErasureCoder } from "@ppio/core";
import { compare, rateOf } from "./support/interleave.ts";
import { startIsal } from "./support/isal.ts";
import { CELL_BYTES, randomSegment } from "./support/segment.ts";

const CODES = [
  { k: 10, n: 16 },
  { k: 20, n: 40 },
  { k: 29, n: 80 },
];

const isal = startIsal();
for (const { k, n } of isal === undefined ? [] : CODES) {
  const worst = Math.min(k, n - k);
  for (const [lost, target] of [
    [worst, 0.8],
    [1, 1],
  ] as const) {
    for (const inside of [true, false]) {
      const { memory, cells } = randomSegment(n, inside);
      const coder = createErasureCoder({ k, n }, { memory });
      const numbered = cells.map((cell, index) => [index, cell] as const);
      const [want, have] = [new Map(numbered.slice(0, lost)), new Map(numbered.slice(lost))];
      await compare({
        name: `decode ${k}/${n}, ${lost} lost, ${inside ? "in the coder's memory" : "copied"}`,
        ours: () => rateOf(() => coder.reconstruct(have, want), k * CELL_BYTES),
        peer: () => isal?.rate(k, n, lost, CELL_BYTES) ?? 0,
        target,
      });
    }
  }
}
isal?.close();
