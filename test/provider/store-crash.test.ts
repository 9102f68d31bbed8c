import { createLogger } from "@ppio/daemon";
import { SlotStore } from "@ppio/provider";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { FaultyDisk } from "../support/provider/faulty-disk.ts";
import { makeSlot, pieces } from "../support/provider/slot.ts";
import { type ChaosFigures, drawer, storeChaos } from "../support/provider/store-chaos.ts";

const CRASHES = Number(process.env["STORE_CRASHES"] ?? 400);
const CRASHES_PER_SEED = 4;
const FIRST_SEED = Number(process.env["STORE_SEED"] ?? 1);
const log = createLogger({ component: "test", write: () => undefined });

const open = (files: FaultyDisk): Promise<SlotStore> => SlotStore.open({ dir: "/slots", capacityBytes: 1 << 20, log, files });

describe("slot store on a disk that fails", () => {
  it(`keeps what it acknowledged and nothing else through ${CRASHES} power cuts`, async function () {
    this.timeout(540_000);
    const figures: ChaosFigures = { crashes: 0, acknowledged: 0, calls: 0, failedCalls: 0, scrubbedBytes: 0, rotten: 0 };
    for (let seed = FIRST_SEED; figures.crashes < CRASHES; seed += 1) await storeChaos(seed, CRASHES_PER_SEED, figures);
    if (CRASHES > 400) console.log(JSON.stringify(figures));
    expect(figures.acknowledged, "the histories hold something").to.be.greaterThan(CRASHES);
    expect(figures.rotten, "scrubs had something to find").to.be.greaterThan(CRASHES / 20);
  });

  it("never acknowledges after a flush that failed, however often it is asked", async () => {
    const disk = new FaultyDisk(drawer(1));
    const store = await open(disk);
    const slot = makeSlot();
    const { uploadId } = slot.meta;
    await store.create(slot.meta);
    await store.append(uploadId, 0, pieces(slot.data));
    const failing = disk.open.bind(disk);
    disk.open = async (path, flags) => {
      const file = await failing(path, flags);
      return path.endsWith("data") ? { ...file, datasync: () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })) } : file;
    };
    expect(await codeOf(store.seal(uploadId, slot.root))).to.equal("IO");
    disk.open = failing;
    expect(await codeOf(store.seal(uploadId, slot.root))).to.equal("TRUNCATED");
    await store.append(uploadId, 0, pieces(slot.data));
    await store.seal(uploadId, slot.root);
    const after = await open(disk.afterPowerCut());
    expect(await after.readCell(uploadId, 0)).to.deep.equal(slot.data.slice(0, slot.header.cellBytes));
  });

  it("takes a vanished disk for no damage, and makes no slot in its place", async () => {
    const disk = new FaultyDisk(drawer(2));
    const store = await open(disk);
    const slot = makeSlot();
    await store.create(slot.meta);
    await store.append(slot.meta.uploadId, 0, pieces(slot.data));
    await store.seal(slot.meta.uploadId, slot.root);
    disk.hasVanished = true;
    expect(await codeOf(store.readCell(slot.meta.uploadId, 0))).to.equal("IO");
    expect(await codeOf(store.create(makeSlot().meta))).to.equal("IO");
    expect(await codeOf(store.drop(slot.meta.uploadId))).to.equal("IO");
    expect(store.damagedSlots).to.equal(0);
    disk.hasVanished = false;
    expect(await store.readCell(slot.meta.uploadId, 1)).to.have.length(slot.header.cellBytes);
  });
});
