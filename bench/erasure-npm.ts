/**
 * How much faster is encoding than the best kept WebAssembly coder on npm (a Rust library without SIMD)? GB/s of data, cells of 16 KiB; it
 * copies its cells into its memory and out.
 */
import { readFileSync } from "node:fs";
import { ReedSolomonErasure } from "@digitaldefiance/reed-solomon-erasure.wasm";
import { createErasureCoder } from "@ppio/core";
import { compare, rateOf } from "./support/interleave.ts";
import { CELL_BYTES, randomSegment } from "./support/segment.ts";

const CODES = [
  { k: 10, n: 16 },
  { k: 20, n: 40 },
  { k: 29, n: 80 },
];
const TARGET = 30;

const PACKAGE = "@digitaldefiance/reed-solomon-erasure.wasm";

// Its own look-up of the module fails where it is imported as an ES module.
const peer = ReedSolomonErasure.fromBytes(readFileSync(new URL("reed_solomon_erasure_bg.wasm", import.meta.resolve(PACKAGE))));
for (const { k, n } of CODES) {
  for (const inside of [true, false]) {
    const { memory, cells } = randomSegment(n, inside);
    const coder = createErasureCoder({ k, n }, { memory });
    const [data, coded] = [cells.slice(0, k), cells.slice(k)];
    const shards = new Uint8Array(Buffer.concat(cells));
    await compare({
      name: `encode ${k}/${n} beside npm, ${inside ? "in memory" : "copied"}`,
      ours: () => rateOf(() => coder.encode(data, coded), k * CELL_BYTES),
      peer: () =>
        rateOf(() => {
          if (peer.encode(shards, k, n - k) !== ReedSolomonErasure.RESULT_OK) throw new Error("The peer failed.");
        }, k * CELL_BYTES),
      target: TARGET,
    });
  }
}
