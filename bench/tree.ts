/**
 * What does the slot tree cost over its hashes? GB/s of a slot of 64 MiB, leaves of 64 bytes, one thread, beside bare
 * `@chainsafe/hashtree` over the same levels; and how fast the browser's kernel hashes pairs, in Node.
 */
import { randomFillSync } from "node:crypto";
import { hashInto } from "@chainsafe/hashtree";
import { createPairHasher, NODE_BYTES, type SlotShape, SlotTreeBuilder } from "@ppio/core";
import { compare, rateOf } from "./support/interleave.ts";

const SLOT_BYTES = 64 << 20;
/** What a client sends and a provider reads at once. */
const BATCH_BYTES = 1 << 20;
const PAIRS_BYTES = 1 << 20;
const TURNS = 41;
const slot = randomFillSync(new Uint8Array(SLOT_BYTES));

function buildTree(shape: SlotShape): void {
  const builder = new SlotTreeBuilder(shape);
  for (let at = 0; at < SLOT_BYTES; at += BATCH_BYTES) builder.push(slot.subarray(at, at + BATCH_BYTES));
  builder.finish();
}

/** The levels of the whole slot, in two buffers that are made once. */
const levels = [new Uint8Array(SLOT_BYTES / 2), new Uint8Array(SLOT_BYTES / 4)] as const;

function hashLevels(): void {
  let from: Uint8Array = slot;
  for (let level = 0; from.length > NODE_BYTES; level += 1) {
    const to = (levels[level % 2] ?? slot).subarray(0, from.length / 2);
    hashInto(from, to);
    from = to;
  }
}

for (const cellBytes of [16_384, 65_536, 1 << 20]) {
  await compare({
    name: `tree of 64 MiB, cells of ${cellBytes / 1024} KiB, hashtree`,
    ours: () => rateOf(() => buildTree({ cellBytes, lastCellBytes: cellBytes, rows: SLOT_BYTES / cellBytes }), SLOT_BYTES),
    peer: () => rateOf(hashLevels, SLOT_BYTES),
    target: 0.9,
    turns: TURNS,
  });
}

const hashPairs = createPairHasher();
const pairs = slot.subarray(0, PAIRS_BYTES);
const digests = new Uint8Array(PAIRS_BYTES / 2);
await compare({
  name: "pairs of 32 bytes, WebAssembly kernel, hashtree",
  ours: () => rateOf(() => hashPairs(pairs, digests), PAIRS_BYTES),
  peer: () => rateOf(() => hashInto(pairs, digests), PAIRS_BYTES),
  target: 0.25,
});
