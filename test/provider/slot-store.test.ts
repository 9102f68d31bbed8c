import { cp, mkdir, open, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cellLength, slotBytes } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { SlotStore } from "@ppio/provider";
import { expect } from "chai";
import fc from "fast-check";
import { codeOf } from "../support/code-of.ts";
import { HEADER, makeSlot, pieces, sourceOf, type TestSlot } from "../support/provider/slot.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const TOTAL = slotBytes(HEADER);
const CAPACITY = 10 * TOTAL;
const lines: string[] = [];
const log = createLogger({ component: "test", write: (line) => lines.push(line) });

function openStore(dir: string, capacityBytes = CAPACITY, diskFreeBytes?: () => Promise<number>): Promise<SlotStore> {
  return SlotStore.open({ dir, capacityBytes, log, ...(diskFreeBytes === undefined ? {} : { diskFreeBytes }) });
}

/** What a crash leaves: the folder as it is on disk at this moment. */
async function crashed(dir: string): Promise<string> {
  const copy = join(await temporaryFolder(), "slots");
  await cp(dir, copy, { recursive: true });
  return copy;
}

async function sealed(store: SlotStore, slot: TestSlot = makeSlot()): Promise<TestSlot> {
  await store.create(slot.meta);
  await store.append(slot.meta.uploadId, 0, pieces(slot.data));
  await store.seal(slot.meta.uploadId, slot.root);
  return slot;
}

async function readBack(store: SlotStore, slot: TestSlot): Promise<Uint8Array> {
  const cells: Uint8Array[] = [];
  for (let row = 0; row < slot.header.rows; row += 1) cells.push(await store.readCell(slot.meta.uploadId, row));
  return new Uint8Array(Buffer.concat(cells));
}

async function flipBit(path: string, at: number): Promise<void> {
  const handle = await open(path, "r+");
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, at);
  await handle.write(Uint8Array.of((byte[0] ?? 0) ^ 1), 0, 1, at);
  await handle.close();
}

describe("slot store", () => {
  let dir: string;

  beforeEach(async () => {
    lines.length = 0;
    dir = join(await temporaryFolder(), "slots");
  });

  afterEach(removeTemporaryFolders);

  it("takes a slot in, gives back every cell, and forgets it", async () => {
    const store = await openStore(dir);
    const slot = await sealed(store);
    expect(await readBack(store, slot)).to.deep.equal(slot.data);
    expect(store.usedBytes).to.equal(TOTAL);
    await store.drop(slot.meta.uploadId);
    expect(store.usedBytes).to.equal(0);
    expect(await codeOf(store.readCell(slot.meta.uploadId, 0))).to.equal("NOT_FOUND");
    expect(await readdir(dir)).to.deep.equal([]);
  });

  for (const header of [
    { k: 1, n: 2, cellBytes: 4096, lastCellBytes: 128, rows: 1 },
    { k: 1, n: 2, cellBytes: 4096, lastCellBytes: 4096, rows: 1 },
    { k: 1, n: 2, cellBytes: 65_536, lastCellBytes: 128, rows: 33 },
    { k: 1, n: 2, cellBytes: 1 << 20, lastCellBytes: 1 << 20, rows: 2 },
  ]) {
    it(`holds ${header.rows} cells of ${header.cellBytes}, the last of ${header.lastCellBytes}`, async () => {
      const store = await openStore(dir, 1 << 24);
      const slot = await sealed(store, makeSlot(header));
      expect(await readBack(await openStore(await crashed(dir), 1 << 24), slot)).to.deep.equal(slot.data);
      expect((await store.readCell(slot.meta.uploadId, header.rows - 1)).length).to.equal(cellLength(header, header.rows - 1));
    });
  }

  it("resumes where the bytes ended, at whatever piece the sender broke off", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: TOTAL }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 5_000 }),
        async (cuts, size) => {
          const store = await openStore(join(await temporaryFolder(), "slots"));
          const slot = makeSlot();
          const { uploadId } = slot.meta;
          await store.create(slot.meta);
          for (const end of [...cuts.sort((a, b) => a - b), TOTAL]) {
            const from = store.find(uploadId)?.receivedBytes ?? 0;
            expect(await store.append(uploadId, from, pieces(slot.data.subarray(from, end), size))).to.equal(Math.max(from, end));
          }
          await store.seal(uploadId, slot.root);
          expect(await readBack(store, slot)).to.deep.equal(slot.data);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("keeps what came before a body broke off", async () => {
    const store = await openStore(dir);
    const slot = makeSlot();
    await store.create(slot.meta);
    const broken = async function* () {
      yield slot.data.subarray(0, 700);
      throw new Error("connection reset");
    };
    expect(await codeOf(store.append(slot.meta.uploadId, 0, sourceOf(broken())))).to.equal("IO");
    expect(store.find(slot.meta.uploadId)?.receivedBytes).to.equal(700);
    await store.append(slot.meta.uploadId, 700, pieces(slot.data.subarray(700)));
    await store.seal(slot.meta.uploadId, slot.root);
  });

  it("refuses another offset, too many bytes, too early an end, a second of the same, and two writers at once", async () => {
    const store = await openStore(dir);
    const slot = makeSlot();
    const { uploadId } = slot.meta;
    await store.create(slot.meta);
    expect(await codeOf(store.create(slot.meta))).to.equal("ALREADY_EXISTS");
    expect(await codeOf(store.append(uploadId, 1, pieces(slot.data)))).to.equal("CONFLICT");
    expect(await codeOf(store.seal(uploadId, slot.root))).to.equal("TRUNCATED");
    const [first, second] = await Promise.all([
      codeOf(store.append(uploadId, 0, pieces(slot.data.subarray(0, 2_000)))),
      codeOf(store.append(uploadId, 0, pieces(slot.data))),
    ]);
    expect([first, second]).to.deep.equal(["accepted", "CONFLICT"]);
    expect(await codeOf(store.append(uploadId, 2_000, pieces(slot.data)))).to.equal("TOO_LARGE");
    expect(await codeOf(store.append(`${"0".repeat(63)}1`, 0, pieces(slot.data)))).to.equal("NOT_FOUND");
  });

  it("starts over when the bytes have another root, and says which", async () => {
    const store = await openStore(dir);
    const slot = makeSlot();
    const { uploadId } = slot.meta;
    await store.create(slot.meta);
    const wrong = slot.data.slice();
    wrong[9_000] = (wrong[9_000] ?? 0) ^ 1;
    await store.append(uploadId, 0, pieces(wrong));
    expect(await codeOf(store.seal(uploadId, slot.root))).to.equal("CORRUPT");
    expect(store.find(uploadId)?.receivedBytes).to.equal(0);
    await store.append(uploadId, 0, pieces(slot.data));
    await store.seal(uploadId, slot.root.toUpperCase().replace("0X", "0x"));
    await store.seal(uploadId, slot.root);
    expect(await codeOf(store.seal(uploadId, `0x${"00".repeat(32)}`)), "later too").to.equal("CORRUPT");
    expect(await readBack(store, slot), "a wrong claim harms nothing").to.deep.equal(slot.data);
  });

  it("survives a crash after every step, and accounts for its space exactly", async () => {
    const store = await openStore(dir);
    const slot = makeSlot();
    const { uploadId } = slot.meta;
    expect((await openStore(await crashed(dir))).usedBytes).to.equal(0);
    await store.create(slot.meta);
    for (let at = 0; at < TOTAL; at += 3_000) {
      await store.append(uploadId, at, pieces(slot.data.subarray(at, at + 3_000)));
      const copy = await openStore(await crashed(dir));
      expect(copy.find(uploadId)?.receivedBytes).to.equal(Math.min(TOTAL, at + 3_000));
      expect(copy.usedBytes).to.equal(TOTAL);
    }
    const before = await crashed(dir);
    await store.seal(uploadId, slot.root);
    await store.seal(uploadId, slot.root, 1_800_000_000);
    const after = await openStore(await crashed(dir));
    expect(after.find(uploadId)?.meta).to.deep.equal({ ...slot.meta, state: "sealed", root: slot.root, offeredUntil: 1_800_000_000 });
    expect(await readBack(after, slot)).to.deep.equal(slot.data);
    // Between the tree and the record: the slot is not acknowledged, and finishing it once more is all it takes.
    await cp(join(dir, uploadId, "roots"), join(before, uploadId, "roots"));
    await writeFile(join(before, uploadId, "meta.json.12.0123abcd.tmp"), "{");
    const between = await openStore(before);
    expect(between.find(uploadId)?.meta.state).to.equal("receiving");
    await between.seal(uploadId, slot.root);
    expect(await readBack(between, slot)).to.deep.equal(slot.data);
    expect((await readdir(join(before, uploadId))).sort()).to.deep.equal(["data", "meta.json", "roots"]);
  });

  it("goes on from what the disk kept when power failed before a flush", async () => {
    const store = await openStore(dir);
    const slot = makeSlot();
    const { uploadId } = slot.meta;
    await store.create(slot.meta);
    await store.append(uploadId, 0, pieces(slot.data));
    const copy = await crashed(dir);
    await truncate(join(copy, uploadId, "data"), 5_000);
    const after = await openStore(copy);
    expect(after.find(uploadId)?.receivedBytes).to.equal(5_000);
    expect(await codeOf(after.seal(uploadId, slot.root))).to.equal("TRUNCATED");
    await after.append(uploadId, 5_000, pieces(slot.data.subarray(5_000)));
    await after.seal(uploadId, slot.root);
    // Zeros where data was not flushed: the root tells.
    const holes = await crashed(dir);
    await truncate(join(holes, uploadId, "data"), 5_000);
    await truncate(join(holes, uploadId, "data"), TOTAL);
    expect(await codeOf((await openStore(holes)).seal(uploadId, slot.root))).to.equal("CORRUPT");
  });

  it("leaves no trace of what it never acknowledged, and finishes a deletion that was cut short", async () => {
    const slot = makeSlot();
    await mkdir(join(dir, slot.meta.uploadId), { recursive: true });
    await writeFile(join(dir, slot.meta.uploadId, "data"), "");
    await writeFile(join(dir, slot.meta.uploadId, "meta.json.7.0123abcd.tmp"), "{");
    await mkdir(join(dir, `dropped-${slot.meta.uploadId}`));
    await writeFile(join(dir, `dropped-${slot.meta.uploadId}`, "data"), "x");
    const store = await openStore(dir);
    expect(store.usedBytes).to.equal(0);
    expect(await readdir(dir)).to.deep.equal([]);
  });

  it("accounts exactly through any run of uploads, ends, deletions and crashes", async () => {
    const step = fc.tuple(fc.constantFrom("create", "append", "seal", "drop", "crash"), fc.nat(3), fc.nat(TOTAL));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        const slots = [0, 1, 2, 3].map((index) => makeSlot(HEADER, index));
        let at = join(await temporaryFolder(), "slots");
        let store = await openStore(at, 3 * TOTAL);
        for (const [what, which, length] of steps) {
          const slot = slots[which] ?? makeSlot();
          const { uploadId } = slot.meta;
          const received = store.find(uploadId)?.receivedBytes ?? 0;
          if (what === "create") await codeOf(store.create(slot.meta));
          if (what === "append") await codeOf(store.append(uploadId, received, pieces(slot.data.subarray(received, received + length))));
          if (what === "seal") await codeOf(store.seal(uploadId, slot.root));
          if (what === "drop") await store.drop(uploadId);
          if (what === "crash") {
            at = await crashed(at);
            store = await openStore(at, 3 * TOTAL);
          }
          expect(store.usedBytes).to.equal(store.list().length * TOTAL);
          expect((await readdir(at)).length).to.equal(store.list().length);
          for (const meta of store.list().filter(({ state }) => state === "sealed")) {
            const original = slots.find((one) => one.meta.uploadId === meta.uploadId) ?? slot;
            expect(await readBack(store, original)).to.deep.equal(original.data);
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  it("detects every flipped bit of the data, serves the cells that are whole, and declares the slot damaged", async () => {
    const store = await openStore(dir);
    const slot = await sealed(store);
    const { uploadId } = slot.meta;
    await flipBit(join(dir, uploadId, "data"), 4096 + 17);
    expect(store.damagedSlots).to.equal(0);
    expect(await codeOf(store.readCell(uploadId, 1))).to.equal("CORRUPT");
    expect(await codeOf(store.readCell(uploadId, 1))).to.equal("CORRUPT");
    expect(store.damagedSlots).to.equal(1);
    expect(
      lines.filter((line) => line.includes("is damaged on disk")),
      "told once",
    ).to.have.length(1);
    expect(await store.readCell(uploadId, 0)).to.deep.equal(slot.data.slice(0, 4096));
  });

  it("detects a slot that was cut short or whose data vanished, also at the start", async () => {
    const store = await openStore(dir);
    const slot = await sealed(store);
    const { uploadId } = slot.meta;
    await truncate(join(dir, uploadId, "data"), TOTAL - 64);
    expect(await codeOf(store.readCell(uploadId, 4))).to.equal("CORRUPT");
    const again = await openStore(dir);
    expect(again.damagedSlots).to.equal(1);
    expect(again.usedBytes, "the place is still its own").to.equal(TOTAL);
    expect(await again.readCell(uploadId, 3)).to.deep.equal(slot.data.slice(3 * 4096, 4 * 4096));
    await rm(join(dir, uploadId, "data"));
    const empty = await openStore(dir);
    expect(await codeOf(empty.readCell(uploadId, 0))).to.equal("CORRUPT");
    expect(empty.damagedSlots).to.equal(1);
  });

  it("never answers from a damaged tree: it is built again, or the slot is lost", async () => {
    const slot = await sealed(await openStore(dir));
    const { uploadId } = slot.meta;
    const whole = await readFile(join(dir, uploadId, "roots"));
    // A sibling's root would make the provider sign a contradiction.
    await flipBit(join(dir, uploadId, "roots"), 4 * 32);
    const store = await openStore(dir);
    expect(new Uint8Array(await store.cellRoots(uploadId))).to.deep.equal(new Uint8Array(whole));
    expect(await readFile(join(dir, uploadId, "roots")), "mended on disk").to.deep.equal(whole);
    await rm(join(dir, uploadId, "roots"));
    expect(await readBack(await openStore(dir), slot)).to.deep.equal(slot.data);
    await truncate(join(dir, uploadId, "roots"), 31);
    await flipBit(join(dir, uploadId, "data"), 0);
    const lost = await openStore(dir);
    expect(await codeOf(lost.readCell(uploadId, 2))).to.equal("CORRUPT");
    expect(await codeOf(lost.cellRoots(uploadId))).to.equal("CORRUPT");
    expect(lost.damagedSlots).to.equal(1);
  });

  it("sets aside a slot whose record is damaged, without deleting a byte", async () => {
    for (const damage of [
      (path: string) => flipBit(path, 60),
      async (path: string) => flipBit(path, (await readFile(path, "utf8")).indexOf('"owner":"0x') + 20),
      (path: string) => truncate(path, 40),
      (path: string) => writeFile(path, "{}"),
      (path: string) => writeFile(path, "null"),
    ]) {
      const at = join(await temporaryFolder(), "slots");
      const slot = await sealed(await openStore(at));
      await damage(join(at, slot.meta.uploadId, "meta.json"));
      const store = await openStore(at);
      expect(store.list()).to.deep.equal([]);
      const [name = ""] = await readdir(at);
      expect(name).to.match(/^damaged-/);
      expect((await stat(join(at, name, "data"))).size).to.equal(TOTAL);
      expect(store.slotsSetAside).to.equal(1);
      expect((await openStore(at)).slotsSetAside, "as long as it lies there").to.equal(1);
    }
  });

  it("sets aside a folder that another slot's record was copied into", async () => {
    const slot = await sealed(await openStore(dir));
    const other = makeSlot();
    await cp(join(dir, slot.meta.uploadId), join(dir, other.meta.uploadId), { recursive: true });
    expect((await openStore(dir)).list()).to.have.length(1);
  });

  it("promises no more than its capacity and no more than the disk has", async () => {
    const store = await openStore(dir, 2 * TOTAL);
    await Promise.all([store.create(makeSlot().meta), store.create(makeSlot().meta)]);
    expect(await codeOf(store.create(makeSlot().meta))).to.equal("NO_SPACE");
    const full = await openStore(join(await temporaryFolder(), "slots"), CAPACITY, async () => (16 << 20) + 1.5 * TOTAL);
    await full.create(makeSlot().meta);
    expect(await full.availableBytes()).to.equal(0.5 * TOTAL);
    expect(await codeOf(full.create(makeSlot().meta)), "the first one's bytes are still to come").to.equal("NO_SPACE");
  });

  it("says NO_SPACE when the disk is full after all, and goes on once there is room", async function () {
    if (
      !(await stat("/dev/full").then(
        (entry) => entry.isCharacterDevice(),
        () => false,
      ))
    )
      this.skip();
    const store = await openStore(dir);
    const slot = makeSlot();
    const path = join(dir, slot.meta.uploadId, "data");
    await store.create(slot.meta);
    await store.append(slot.meta.uploadId, 0, pieces(slot.data.subarray(0, 1_000)));
    await cp(path, `${path}.kept`);
    await rm(path);
    await symlink("/dev/full", path);
    expect(await codeOf(store.append(slot.meta.uploadId, 1_000, pieces(slot.data.subarray(1_000))))).to.equal("NO_SPACE");
    expect(store.find(slot.meta.uploadId)?.receivedBytes, "nothing is acknowledged that was not written").to.equal(1_000);
    await rm(path);
    await cp(`${path}.kept`, path);
    await store.append(slot.meta.uploadId, 1_000, pieces(slot.data.subarray(1_000)));
    await store.seal(slot.meta.uploadId, slot.root);
  });

  it("does not drop a slot under a writer", async () => {
    const store = await openStore(dir);
    const slot = makeSlot();
    await store.create(slot.meta);
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const slow = async function* () {
      yield slot.data.subarray(0, 100);
      await gate;
    };
    const writing = store.append(slot.meta.uploadId, 0, sourceOf(slow()));
    expect(await codeOf(store.drop(slot.meta.uploadId))).to.equal("CONFLICT");
    go();
    await writing;
    await store.drop(slot.meta.uploadId);
    expect(store.usedBytes).to.equal(0);
  });

  it("tells nothing by its names and records but what the chain tells", async () => {
    const slot = await sealed(await openStore(dir));
    expect(await readdir(dir)).to.deep.equal([slot.meta.uploadId]);
    expect((await readdir(join(dir, slot.meta.uploadId))).sort()).to.deep.equal(["data", "meta.json", "roots"]);
    const record = JSON.parse(await readFile(join(dir, slot.meta.uploadId, "meta.json"), "utf8")) as object;
    const known = ["version", "uploadId", "dealId", "dealSalt", "slotIndex", "owner", "payer", "header", "state", "root"];
    expect(Object.keys(record)).to.have.members([...known, "createdAt", "offeredUntil", "check"]);
    expect((await stat(join(dir, slot.meta.uploadId, "data"))).mode & 0o077, "readable by its user only").to.equal(0);
  });
});
