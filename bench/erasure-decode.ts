/**
 * How fast is decoding on one thread, beside Intel ISA-L with AVX2: the worst loss, every second data cell, one cell? GB/s of data, cells
 * of 16 KiB.
 */
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
  const slots = Array.from({ length: n }, (_, slot) => slot);
  const losses = [
    { name: "lost", slots: slots.slice(0, Math.min(k, n - k)), target: 0.8 },
    { name: "lost, scattered", slots: slots.filter((slot) => slot < k && slot % 2 === 0), target: 0.8 },
    { name: "lost", slots: [0], target: 1 },
  ];
  for (const { name, slots: lost, target } of losses) {
    for (const inside of [true, false]) {
      const { memory, cells } = randomSegment(n, inside);
      const coder = createErasureCoder({ k, n }, { memory });
      const numbered = cells.map((cell, slot) => [slot, cell] as const);
      const want = new Map(numbered.filter(([slot]) => lost.includes(slot)));
      const have = new Map(numbered.filter(([slot]) => !lost.includes(slot)));
      await compare({
        name: `decode ${k}/${n}, ${lost.length} ${name}, ${inside ? "in memory" : "copied"}`,
        ours: () => rateOf(() => coder.reconstruct(have, want), k * CELL_BYTES),
        peer: () => isal?.rate(k, n, lost.length, CELL_BYTES) ?? 0,
        target,
      });
    }
  }
}
isal?.close();
