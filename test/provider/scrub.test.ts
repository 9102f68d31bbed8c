import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { slotBytes } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { type ScrubOptions, type SlotMeta, SlotStore, scrubOnce, scrubPositionFile } from "@ppio/provider";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { makeSlot, pieces, type TestSlot } from "../support/provider/slot.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const HEADER = { k: 1, n: 2, cellBytes: 1 << 19, lastCellBytes: 1 << 19, rows: 4 };
const TOTAL = slotBytes(HEADER);
const log = createLogger({ component: "test", write: () => undefined });

describe("scrub", () => {
  let folder: string;
  let store: SlotStore;
  let slots: TestSlot[];
  let damaged: SlotMeta[];

  beforeEach(async () => {
    folder = await temporaryFolder();
    damaged = [];
    const onDamage = (meta: SlotMeta): void => void damaged.push(meta);
    store = await SlotStore.open({ dir: join(folder, "slots"), capacityBytes: 1 << 26, log, onDamage });
    slots = [0, 1, 2].map((index) => makeSlot(HEADER, index % 2));
    slots.sort((a, b) => (a.meta.uploadId < b.meta.uploadId ? -1 : 1));
    for (const { meta, data, root } of slots) {
      await store.create(meta);
      await store.append(meta.uploadId, 0, pieces(data, 1 << 18));
      await store.seal(meta.uploadId, root);
    }
  });

  afterEach(removeTemporaryFolders);

  function scrub(change: Partial<ScrubOptions> = {}): ReturnType<typeof scrubOnce> {
    const signal = new AbortController().signal;
    return scrubOnce({
      store,
      bytesPerSecond: 1 << 20,
      position: scrubPositionFile(join(folder, "scrub.json")),
      signal,
      log,
      wait: async () => undefined,
      ...change,
    });
  }

  async function flip(slot: TestSlot, at: number): Promise<void> {
    const handle = await open(join(folder, "slots", slot.meta.uploadId, "data"), "r+");
    await handle.write(Uint8Array.of((slot.data[at] ?? 0) ^ 1), 0, 1, at);
    await handle.close();
  }

  it("reads every byte of every sealed slot, and waits as long as its rate says", async () => {
    await store.create(makeSlot(HEADER, 1).meta);
    let waitedMs = 0;
    const wait = async (ms: number): Promise<void> => {
      waitedMs += ms;
    };
    const report = await scrub({ wait });
    expect(report).to.deep.equal({ slots: 3, bytes: 3 * TOTAL, damagedCells: 0, mendedSlots: 0 });
    expect(waitedMs).to.equal((3 * TOTAL * 1000) / (1 << 20));
  });

  it("tells of a rotten slot once, by its id, and counts every rotten cell", async () => {
    const slot = slots[1] ?? makeSlot();
    await flip(slot, 5);
    await flip(slot, 3 * HEADER.cellBytes + 9);
    expect((await scrub()).damagedCells).to.equal(2);
    expect((await scrub()).damagedCells).to.equal(2);
    expect(damaged.map(({ uploadId }) => uploadId)).to.deep.equal([slot.meta.uploadId]);
    expect(store.damagedSlots).to.equal(1);
  });

  it("goes on where it was stopped, and begins anew after the end or without its file", async () => {
    const stop = new AbortController();
    const first = await scrub({ signal: stop.signal, wait: async () => stop.abort() });
    expect(first.bytes).to.equal(1 << 20);
    expect(JSON.parse(await readFile(join(folder, "scrub.json"), "utf8"))).to.include({ uploadId: slots[0]?.meta.uploadId, row: 2 });
    expect((await scrub()).bytes).to.equal(3 * TOTAL - (1 << 20));
    expect((await scrub()).bytes).to.equal(3 * TOTAL);
  });

  it("writes records and trees again that rotted while they are known, so that the next start finds every slot", async () => {
    const dir = join(folder, "slots");
    const paths = slots.flatMap(({ meta }, index) => [
      ...(index === 1 ? [] : [join(dir, meta.uploadId, "meta.json")]),
      ...(index === 2 ? [] : [join(dir, meta.uploadId, "roots")]),
    ]);
    const before = await Promise.all(paths.map((path) => readFile(path)));
    for (const [index, path] of paths.entries()) {
      const bytes = Buffer.from(before[index] ?? []);
      bytes[40] = (bytes[40] ?? 0) ^ 4;
      if (index === 0) await rm(path);
      else await writeFile(path, bytes);
    }
    expect(await scrub()).to.include({ damagedCells: 0, mendedSlots: 3 });
    expect(await Promise.all(paths.map((path) => readFile(path)))).to.deep.equal(before);
    expect((await scrub()).mendedSlots).to.equal(0);
    const again = await SlotStore.open({ dir, capacityBytes: 1 << 26, log });
    expect(again.list()).to.have.length(3);
    expect(again.slotsSetAside).to.equal(0);
    expect(damaged).to.deep.equal([]);
  });

  it("mends nothing of a slot whose data is damaged, nor anything on a disk that went away", async () => {
    const [first] = slots;
    await flip(first ?? makeSlot(), 7);
    await rm(join(folder, "slots", first?.meta.uploadId ?? "", "meta.json"));
    expect(await scrub()).to.include({ damagedCells: 1, mendedSlots: 0 });
    await rename(join(folder, "slots"), join(folder, "elsewhere"));
    await mkdir(join(folder, "slots"));
    expect(await codeOf(store.mend(slots[1]?.meta.uploadId ?? ""))).to.equal("IO");
    expect(await readdir(join(folder, "slots")), "nothing is made in its place").to.deep.equal([]);
  });

  it("passes over a slot that is dropped meanwhile", async () => {
    const [first, , last] = slots;
    const wait = async (): Promise<void> => store.drop((last ?? first)?.meta.uploadId ?? "");
    expect((await scrub({ wait })).bytes).to.equal(2 * TOTAL);
  });
});
