import { mkdir, readdir, rename, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { slotBytes } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { type FileLayer, nodeFileLayer, SlotStore, watchedDisk } from "@ppio/provider";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { FaultyDisk } from "../support/provider/faulty-disk.ts";
import { HEADER, makeSlot, pieces } from "../support/provider/slot.ts";
import { drawer } from "../support/provider/store-chaos.ts";
import { call, makeUpload, put, read, startWorld, store, TERMS, ticketHeaders, type World } from "../support/provider/world.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const TOTAL = slotBytes(HEADER);
const log = createLogger({ component: "test", write: () => undefined });

describe("a slot's bytes on a disk that loses them between their arrival and the end", () => {
  afterEach(removeTemporaryFolders);

  async function received(): Promise<{ dir: string; slots: SlotStore; slot: ReturnType<typeof makeSlot> }> {
    const dir = join(await temporaryFolder(), "slots");
    const slots = await SlotStore.open({ dir, capacityBytes: 1 << 24, log });
    const slot = makeSlot();
    await slots.create(slot.meta);
    await slots.append(slot.meta.uploadId, 0, pieces(slot.data));
    return { dir, slots, slot };
  }

  it("acknowledges nothing when the file was cut, and takes the slot anew", async () => {
    const { dir, slots, slot } = await received();
    const { uploadId } = slot.meta;
    await truncate(join(dir, uploadId, "data"), TOTAL - 1);
    expect(await codeOf(slots.seal(uploadId, slot.root))).to.equal("CORRUPT");
    expect(slots.find(uploadId)).to.include({ receivedBytes: 0 });
    await slots.append(uploadId, 0, pieces(slot.data));
    expect((await slots.seal(uploadId, slot.root)).state).to.equal("sealed");
  });

  it("acknowledges nothing when the file, the slot's folder or the whole disk is gone", async () => {
    for (const [gone, code] of [
      ["data", "CORRUPT"],
      ["", "CORRUPT"],
      ["..", "IO"],
    ] as const) {
      const { dir, slots, slot } = await received();
      await rm(join(dir, slot.meta.uploadId, gone), { recursive: true });
      expect(await codeOf(slots.seal(slot.meta.uploadId, slot.root)), gone).to.equal(code);
      expect(slots.find(slot.meta.uploadId)?.meta.state).to.equal("receiving");
    }
  });
});

describe("a provider whose disk is not well", () => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(async () => {
    await world.close();
    await removeTemporaryFolders();
  });

  const health = async () => {
    world.clock.nowMs += 2_000;
    return call(world, "GET", "/v1/health");
  };
  const metrics = async (): Promise<string> => (await fetch(`${world.url}/v1/metrics`)).text();

  it("says so when the disk was unmounted, takes and serves nothing, loses nothing, and goes on when it is back", async () => {
    const held = await store(world);
    const headers = await ticketHeaders(world, held);
    const late = await makeUpload(world);
    await call(world, "POST", "/v1/uploads", late.body);
    await put(world, late.id, 0, late.data);
    expect((await health()).body).to.include({ status: "ok", disk: "ok", slotsSetAside: 0 });
    expect(await metrics()).to.include("ppio_disk_ok 1");

    const mounted = join(world.dir, "slots");
    await rename(mounted, `${mounted}.away`);
    // What a mount point is without its disk: a folder, and it can be written.
    await mkdir(mounted);
    const finish = { root: late.root, ...TERMS };
    expect((await call(world, "POST", `/v1/uploads/${late.id}/finish`, finish)).code).to.equal("IO");
    expect((await call(world, "POST", "/v1/uploads", (await makeUpload(world)).body)).code).to.equal("IO");
    expect((await read(world, held, 0, 4_096, headers)).status).to.equal(500);
    expect(await health()).to.deep.include({ status: 503 });
    expect((await health()).body).to.include({ disk: "the data folder cannot be written", damagedSlots: 0 });
    expect(await metrics())
      .to.include("ppio_disk_ok 0")
      .and.include("ppio_corrupt_cells_total 0");
    expect(await readdir(mounted), "nothing is made in its place").to.deep.equal([]);

    await rm(mounted, { recursive: true });
    await rename(`${mounted}.away`, mounted);
    expect((await health()).body).to.include({ status: "ok", damagedSlots: 0 });
    expect((await read(world, held, 0, 4_096, headers)).status).to.equal(200);
    expect((await call(world, "POST", `/v1/uploads/${late.id}/finish`, finish)).status).to.equal(200);
  });
});

describe("a disk that fails", () => {
  it("is told from a full one, and leaves no probe behind", async () => {
    const failures: unknown[] = [];
    const open = (disk: FileLayer): Promise<SlotStore> =>
      SlotStore.open({ dir: "/slots", capacityBytes: 1 << 20, log, files: watchedDisk(disk, (error) => failures.push(error)) });
    const disk = new FaultyDisk(drawer(3));
    const slots = await open(disk);
    await slots.probe();
    expect(await disk.list("/slots")).to.deep.equal([]);
    expect(failures).to.deep.equal([]);
    for (const [code, expected] of [
      ["ENOSPC", "NO_SPACE"],
      ["EDQUOT", "NO_SPACE"],
      ["EROFS", "IO"],
      ["EIO", "IO"],
    ] as const) {
      const fails = async (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));
      const opened = disk.open.bind(disk);
      for (const broken of [fails, async (...args: Parameters<FileLayer["open"]>) => ({ ...(await opened(...args)), datasync: fails })]) {
        disk.open = broken;
        expect(await codeOf(slots.probe()), code).to.equal(expected);
        disk.open = opened;
      }
    }
    expect(failures).to.have.length(8);
    await slots.probe();
  });

  it("is told of by whatever call failed, but not of what is merely not there", async () => {
    const failures: unknown[] = [];
    const disk = watchedDisk(nodeFileLayer, (error) => failures.push(error));
    const folder = await temporaryFolder();
    expect(await codeOfErrno(disk.readFile(join(folder, "none")))).to.equal("ENOENT");
    expect(failures).to.deep.equal([]);
    expect(await codeOfErrno(disk.readFile(folder))).to.equal("EISDIR");
    expect(await codeOfErrno(disk.makeFolder(folder))).to.equal("EEXIST");
    expect(failures).to.have.length(2);
    await removeTemporaryFolders();
  });
});

async function codeOfErrno(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  );
}
