/** What durability costs sixteen writers at once: slots a second with every flush, against the same store without any (>= 0.70). */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@ppio/daemon";
import { type FileLayer, nodeFileLayer, SlotStore } from "@ppio/provider";
import { makeSlot, pieces } from "../test/support/provider/slot.ts";
import { interleave, printRatio } from "./support/measure.ts";

const WRITERS = 16;
const ROUNDS = 7;
const log = createLogger({ component: "bench", write: () => undefined });

const unsynced: FileLayer = {
  ...nodeFileLayer,
  open: async (path, flags) => ({ ...(await nodeFileLayer.open(path, flags)), datasync: async () => undefined }),
  syncFolder: async () => undefined,
};

/** MiB a second of `slotsEach` slots by every writer. */
async function run(files: FileLayer, slotMib: number, slotsEach: number): Promise<number> {
  const header = { k: 1, n: 2, cellBytes: 65_536, lastCellBytes: 65_536, rows: slotMib * 16 };
  const work = Array.from({ length: WRITERS }, () => Array.from({ length: slotsEach }, () => makeSlot(header)));
  const dir = await mkdtemp(join(tmpdir(), "ppio-bench-"));
  try {
    const store = await SlotStore.open({ dir: join(dir, "slots"), capacityBytes: 2 ** 34, log, files });
    const since = performance.now();
    await Promise.all(
      work.map(async (slots) => {
        for (const { meta, data, root } of slots) {
          await store.create(meta);
          await store.append(meta.uploadId, 0, pieces(data, 65_536));
          await store.seal(meta.uploadId, root);
        }
      }),
    );
    return (WRITERS * slotsEach * slotMib * 1000) / (performance.now() - since);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

for (const [slotMib, slotsEach] of [
  [1, 4],
  [8, 1],
  [16, 1],
] as const) {
  const [ours = Number.NaN, peer = Number.NaN] = await interleave(
    [
      { name: "flushed", run: () => run(nodeFileLayer, slotMib, slotsEach) },
      { name: "unsynced", run: () => run(unsynced, slotMib, slotsEach) },
    ],
    ROUNDS,
  );
  printRatio(`16 writers, slots of ${slotMib} MiB, flushed/unsynced`, ours, peer, "MiB/s");
}
