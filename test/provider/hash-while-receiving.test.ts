import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { slotBytes } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { SlotStore } from "@ppio/provider";
import { expect } from "chai";
import fc from "fast-check";
import { codeOf } from "../support/code-of.ts";
import { countingDisk } from "../support/provider/counting-disk.ts";
import { HEADER, makeSlot, pieces } from "../support/provider/slot.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const TOTAL = slotBytes(HEADER);
const CELL = HEADER.cellBytes;
const log = createLogger({ component: "test", write: () => undefined });

describe("hashing while a slot comes in", () => {
  afterEach(removeTemporaryFolders);

  async function begin(header = HEADER) {
    const dir = join(await temporaryFolder(), "slots");
    const slot = makeSlot(header);
    const { uploadId } = slot.meta;
    const disk = countingDisk();
    const start = (): Promise<SlotStore> => SlotStore.open({ dir, capacityBytes: 1 << 24, log, files: disk.files });
    const store = await start();
    await store.create(slot.meta);
    return { slot, uploadId, disk, store, restart: start, data: join(dir, uploadId, "data") };
  }

  it("reads nothing back of what came in one life, and flushes twice at the end", async () => {
    const big = { k: 1, n: 2, cellBytes: 65_536, lastCellBytes: 1_152, rows: 40 };
    for (const header of [HEADER, big, { ...HEADER, rows: 1 }, { ...big, cellBytes: 1 << 20, rows: 3 }]) {
      const { slot, uploadId, disk, store } = await begin(header);
      const middle = header.cellBytes * Math.floor(header.rows / 2);
      await store.append(uploadId, 0, pieces(slot.data.subarray(0, middle)));
      await store.append(uploadId, middle, pieces(slot.data.subarray(middle), 70_001));
      await store.check(uploadId, slot.root);
      const flushes = disk.flushes;
      await store.seal(uploadId, slot.root, 1_800_000_000);
      expect(disk.readBytes).to.equal(0);
      expect(disk.flushes - flushes, "data, roots and record; then the folder").to.equal(4);
      expect(store.find(uploadId)?.meta.offeredUntil).to.equal(1_800_000_000);
    }
  });

  it("reads back only the cells in which a body broke off, wherever it did", async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: TOTAL }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.integer({ min: 1, max: 5_000 }), async (ends, size) => {
        const { slot, uploadId, disk, store } = await begin();
        const sorted = ends.sort((a, b) => a - b);
        for (const end of [...sorted, TOTAL]) {
          const from = store.find(uploadId)?.receivedBytes ?? 0;
          await store.append(uploadId, from, pieces(slot.data.subarray(from, end), size));
        }
        await store.seal(uploadId, slot.root);
        const torn = new Set(sorted.filter((end) => end % CELL !== 0 && end < TOTAL).map((end) => Math.floor(end / CELL)));
        const expected = [...torn].reduce((sum, row) => sum + (row === HEADER.rows - 1 ? HEADER.lastCellBytes : CELL), 0);
        expect(disk.readBytes).to.equal(expected);
      }),
      { numRuns: 20 },
    );
  });

  it("hashes what came before a restart exactly once, as the disk has it", async () => {
    for (const cut of [CELL, 2 * CELL + 100, TOTAL]) {
      const { slot, uploadId, disk, store, restart } = await begin();
      await store.append(uploadId, 0, pieces(slot.data.subarray(0, cut)));
      const again = await restart();
      expect(again.find(uploadId)?.receivedBytes).to.equal(cut);
      await again.append(uploadId, cut, pieces(slot.data.subarray(cut)));
      expect(disk.readBytes, "nothing before the end").to.equal(0);
      const before = Math.min(TOTAL, Math.ceil(cut / CELL) * CELL);
      await again.check(uploadId, slot.root);
      expect(disk.readBytes).to.equal(before);
      await again.check(uploadId, slot.root);
      await again.seal(uploadId, slot.root);
      expect(disk.readBytes).to.equal(before);
    }
  });

  it("finds a byte that changed on the disk during a restart, and starts over", async () => {
    for (const at of [0, CELL + 5, 2 * CELL + 50]) {
      const cut = 2 * CELL + 100;
      const { slot, uploadId, store, restart, data } = await begin();
      await store.append(uploadId, 0, pieces(slot.data.subarray(0, cut)));
      const bytes = await readFile(data);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await writeFile(data, bytes);
      const again = await restart();
      await again.append(uploadId, cut, pieces(slot.data.subarray(cut)));
      expect(await codeOf(again.seal(uploadId, slot.root)), `byte ${at}`).to.equal("CORRUPT");
      expect(again.find(uploadId)?.receivedBytes).to.equal(0);
      await again.append(uploadId, 0, pieces(slot.data));
      await again.seal(uploadId, slot.root);
      expect(await again.readCell(uploadId, 2)).to.deep.equal(slot.data.slice(2 * CELL, 3 * CELL));
    }
  });

  it("takes for received what the disk took of a write, and hashes that from the disk", async () => {
    const { slot, uploadId, disk, store } = await begin();
    disk.takesAtMost = CELL + 700;
    expect(await codeOf(store.append(uploadId, 0, pieces(slot.data)))).to.equal("NO_SPACE");
    disk.takesAtMost = Number.POSITIVE_INFINITY;
    const received = store.find(uploadId)?.receivedBytes ?? 0;
    expect(received).to.equal(CELL + 700);
    await store.append(uploadId, received, pieces(slot.data.subarray(received)));
    await store.seal(uploadId, slot.root);
    expect(disk.readBytes).to.equal(2 * CELL);
  });

  it("writes nothing behind a write that failed, though more has come", async () => {
    const big = { k: 1, n: 2, cellBytes: 65_536, lastCellBytes: 1_152, rows: 60 };
    const { slot, uploadId, disk, store } = await begin(big);
    disk.takesAtMost = 70_000;
    expect(await codeOf(store.append(uploadId, 0, pieces(slot.data, 50_001)))).to.equal("NO_SPACE");
    expect(store.find(uploadId)?.receivedBytes).to.equal(70_000);
    disk.takesAtMost = Number.POSITIVE_INFINITY;
    await store.append(uploadId, 70_000, pieces(slot.data.subarray(70_000), 50_001));
    await store.seal(uploadId, slot.root);
    expect(await store.readCell(uploadId, 1)).to.deep.equal(slot.data.slice(65_536, 131_072));
  });

  it("says no more than once what a wrong root costs: everything", async () => {
    const { slot, uploadId, store } = await begin();
    await store.append(uploadId, 0, pieces(slot.data));
    expect(await codeOf(store.check(uploadId, `0x${"11".repeat(32)}`))).to.equal("CORRUPT");
    expect(await codeOf(store.check(uploadId, slot.root))).to.equal("TRUNCATED");
  });

  it("finds a bit that flips, also in cells that were whole before", async () => {
    const { slot, uploadId, disk, store, data } = await begin();
    await store.append(uploadId, 0, pieces(slot.data));
    await store.seal(uploadId, slot.root);
    const buffer = new Uint8Array(TOTAL);
    const serve = async (): Promise<Uint8Array> => {
      const reader = await store.openCells(uploadId);
      try {
        const cells = Array.from({ length: HEADER.rows }, (_, row) => buffer.subarray(row * CELL, Math.min((row + 1) * CELL, TOTAL)));
        const whole = await reader.read(0, cells);
        return buffer.slice(0, Math.min(whole * CELL, TOTAL));
      } finally {
        await reader.close();
      }
    };
    expect(await serve()).to.deep.equal(slot.data);
    expect(await serve()).to.deep.equal(slot.data);
    expect(disk.readBytes, "from the disk, each time").to.equal(2 * TOTAL);
    for (const at of [TOTAL - 1, 3 * CELL, 17]) {
      const bytes = await readFile(data);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      await writeFile(data, bytes);
      const whole = Math.floor(at / CELL) * CELL;
      if (whole > 0) expect(await serve()).to.deep.equal(slot.data.slice(0, whole));
      else expect(await codeOf(serve())).to.equal("CORRUPT");
    }
    await writeFile(data, slot.data);
    expect(await serve(), "mended, it is whole").to.deep.equal(slot.data);
  });
});
