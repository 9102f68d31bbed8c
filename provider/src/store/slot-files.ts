/**
 * A slot's folder on the disk: `data`, `roots` (32 bytes per cell), `meta.json`. Every change is either whole after a crash or never
 * happened: written aside, flushed, renamed, the folder flushed. The record `meta.json` decides: a folder without one is no slot.
 */
import { dirname, join } from "node:path";
import { PpioError } from "@ppio/core";
import { diskError, isErrno } from "@ppio/daemon";
import type { FileLayer, StoreFile } from "./file-layer.ts";
import { GroupCommit, type SyncTarget } from "./group-commit.ts";
import { encodeMeta, type SlotMeta } from "./slot-record.ts";

const ID = /^[0-9a-f]{64}$/;
/** Renamed before it is deleted, so that a half deleted slot is never taken for one. */
const DROPPED = /^dropped-[0-9a-f]{64}$/;
/** Its record could not be read; nobody but the operator deletes it. */
const SET_ASIDE = /^damaged-[0-9a-f]{64}-/;
/** Written and removed to see whether the disk takes anything. */
const PROBE_NAME = "probe";
const PROBE_BYTES = 4096;
const LEFTOVER = /\.\d+\.[0-9a-f]{8}\.tmp$/;

export type SlotFileName = "data" | "roots" | "meta.json";

export class SlotFiles {
  readonly dir: string;
  readonly #layer: FileLayer;
  readonly #commits = new GroupCommit();
  #identity = "";
  #asides = 0;
  #setAside = 0;

  constructor(dir: string, layer: FileLayer) {
    this.dir = dir;
    this.#layer = layer;
  }

  path(uploadId: string, name: SlotFileName): string {
    return join(this.dir, uploadId, name);
  }

  /** Makes the store's folder, finishes deletions that were cut short, and names every slot's folder. */
  async prepare(): Promise<readonly string[]> {
    const layer = this.#layer;
    await layer.makeFolder(this.dir, { recursive: true });
    // Without this, the folder and all slots in it could be gone after a power cut.
    await layer.syncFolder(dirname(this.dir));
    this.#identity = (await layer.stat(this.dir)).identity;
    const names = await layer.list(this.dir);
    for (const name of names) if (DROPPED.test(name)) await layer.remove(join(this.dir, name));
    this.#setAside = names.filter((name) => SET_ASIDE.test(name)).length;
    return names.filter((name) => ID.test(name));
  }

  /** Slots in this folder whose records could not be read, at this start or at an earlier one. */
  get setAsideCount(): number {
    return this.#setAside;
  }

  /** The record as it was written; undefined when there is none, so that the slot was never acknowledged. @throws CORRUPT */
  async readRecord(uploadId: string): Promise<unknown> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#layer.readFile(this.path(uploadId, "meta.json"));
    } catch (cause) {
      if (isErrno(cause, "ENOENT")) return undefined;
      throw diskError(cause, this.path(uploadId, "meta.json"));
    }
    try {
      return JSON.parse(new TextDecoder().decode(bytes));
    } catch (cause) {
      throw new PpioError("CORRUPT", "A slot's meta.json is damaged.", { cause });
    }
  }

  async removeLeftovers(uploadId: string): Promise<void> {
    const folder = join(this.dir, uploadId);
    for (const name of await this.#layer.list(folder)) if (LEFTOVER.test(name)) await this.#layer.remove(join(folder, name));
  }

  removeSlot(uploadId: string): Promise<void> {
    return this.#layer.remove(join(this.dir, uploadId));
  }

  async setAside(uploadId: string, now: number): Promise<void> {
    await this.#layer.rename(join(this.dir, uploadId), join(this.dir, `damaged-${uploadId}-${now}`));
    this.#setAside += 1;
  }

  /** Size of the data and when it was last written; undefined when it is not there. @throws IO */
  async dataStat(uploadId: string): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined> {
    const path = this.path(uploadId, "data");
    try {
      return await this.#layer.stat(path);
    } catch (cause) {
      if (!isErrno(cause, "ENOENT")) throw diskError(cause, path);
      return undefined;
    }
  }

  /** @throws CORRUPT when the file is gone and the disk is there, IO */
  async openData(uploadId: string, flags: "r" | "r+"): Promise<StoreFile> {
    const path = this.path(uploadId, "data");
    try {
      return await this.#layer.open(path, flags);
    } catch (cause) {
      if (!isErrno(cause, "ENOENT")) throw diskError(cause, path);
      await this.checkDisk();
      throw new PpioError("CORRUPT", "The slot's data has vanished from the disk.", { cause });
    }
  }

  async useData<T>(uploadId: string, flags: "r" | "r+", work: (file: StoreFile) => Promise<T>): Promise<T> {
    const file = await this.openData(uploadId, flags);
    try {
      return await work(file);
    } catch (cause) {
      throw diskError(cause, this.path(uploadId, "data"));
    } finally {
      await file.close();
    }
  }

  /** As they lie on the disk, damaged or not; empty when they cannot be read. */
  readRoots(uploadId: string): Promise<Uint8Array> {
    return this.#layer.readFile(this.path(uploadId, "roots")).catch(() => new Uint8Array());
  }

  /** An empty slot with its record, durable on return. */
  async create(meta: SlotMeta): Promise<void> {
    const { uploadId } = meta;
    await this.checkDisk();
    await this.removeSlot(uploadId);
    await this.#layer.makeFolder(join(this.dir, uploadId));
    await (await this.#layer.open(this.path(uploadId, "data"), "w")).close();
    await this.#replace([[this.path(uploadId, "meta.json"), new TextEncoder().encode(encodeMeta(meta))]]);
    await this.#commits.sync(this.#folder(join(this.dir, uploadId)), this.#folder(this.dir));
  }

  async writeRecord(meta: SlotMeta): Promise<void> {
    await this.#replaceDurably(meta.uploadId, [["meta.json", new TextEncoder().encode(encodeMeta(meta))]]);
  }

  async writeRoots(uploadId: string, roots: Uint8Array): Promise<void> {
    await this.#replaceDurably(uploadId, [["roots", roots]]);
  }

  /** Tree and record of a slot: one flush of both and of the data, which `flushData` asks for, then one of the folder. */
  async writeSeal(meta: SlotMeta, roots: Uint8Array, flushData: () => Promise<void>): Promise<void> {
    const record = new TextEncoder().encode(encodeMeta(meta));
    const files = [
      ["roots", roots],
      ["meta.json", record],
    ] as const;
    await this.#replaceDurably(meta.uploadId, files, flushData);
  }

  /** Writes record and tree again, whichever the disk no longer has as they were written. @returns which. @throws NO_SPACE, IO */
  async mend(meta: SlotMeta, roots: Uint8Array): Promise<readonly SlotFileName[]> {
    const spoiled: (readonly [SlotFileName, Uint8Array])[] = [];
    for (const [name, bytes] of [["roots", roots] as const, ["meta.json", new TextEncoder().encode(encodeMeta(meta))] as const]) {
      const found = await this.#layer.readFile(this.path(meta.uploadId, name)).catch(() => undefined);
      if (found === undefined || Buffer.compare(found, bytes) !== 0) spoiled.push([name, bytes]);
    }
    if (spoiled.length === 0) return [];
    await this.checkDisk();
    await this.#replaceDurably(meta.uploadId, spoiled);
    return spoiled.map(([name]) => name);
  }

  syncData(uploadId: string, file: StoreFile): Promise<void> {
    return this.#commits.sync({ key: this.path(uploadId, "data"), sync: () => file.datasync() });
  }

  /** @returns what deletes the bytes; once this call has returned, the slot never comes back. */
  async forget(uploadId: string): Promise<() => Promise<void>> {
    const aside = join(this.dir, `dropped-${uploadId}`);
    await this.checkDisk();
    try {
      await this.#layer.remove(aside);
      await this.#layer.rename(join(this.dir, uploadId), aside);
    } catch (cause) {
      if (!isErrno(cause, "ENOENT")) throw diskError(cause, this.dir);
    }
    // Also when the name is gone already: an earlier try may have failed before it was flushed.
    await this.#commits.sync(this.#folder(this.dir)).catch((cause) => {
      throw diskError(cause, this.dir);
    });
    return () => this.#layer.remove(aside);
  }

  /** A disk that went away, or another in its place, is nobody's damaged slot. @throws IO */
  async checkDisk(): Promise<void> {
    const stat = await this.#layer.stat(this.dir).catch((cause) => {
      throw new PpioError("IO", `${this.dir} has vanished; mount the disk again.`, { cause });
    });
    if (stat.identity !== this.#identity)
      throw new PpioError("IO", `${this.dir} is another folder than at the start; mount the disk again.`);
  }

  /** Whether the disk is there and takes bytes for good. @throws NO_SPACE, IO */
  async probe(): Promise<void> {
    await this.checkDisk();
    const path = join(this.dir, PROBE_NAME);
    try {
      const file = await this.#layer.open(path, "w");
      try {
        const bytesWritten = await file.writev([new Uint8Array(PROBE_BYTES)], 0);
        if (bytesWritten !== PROBE_BYTES) throw new PpioError("NO_SPACE", `There is no space left for ${path}; free some.`);
        await file.datasync();
      } finally {
        await file.close();
      }
      await this.#layer.remove(path);
    } catch (cause) {
      throw diskError(cause, path);
    }
  }

  #folder(path: string): SyncTarget {
    return { key: path, sync: () => this.#layer.syncFolder(path) };
  }

  async #replaceDurably(
    uploadId: string,
    files: readonly (readonly [SlotFileName, Uint8Array])[],
    flushOthers?: () => Promise<void>,
  ): Promise<void> {
    const named = files.map(([name, bytes]) => [this.path(uploadId, name), bytes] as const);
    try {
      await this.#replace(named, flushOthers);
      await this.#commits.sync(this.#folder(join(this.dir, uploadId)));
    } catch (cause) {
      throw diskError(cause, join(this.dir, uploadId));
    }
  }

  /** Contents, and what `flushOthers` flushes, are on the disk before the first rename; the names are not: the caller flushes the folder. */
  async #replace(files: readonly (readonly [string, Uint8Array])[], flushOthers = async (): Promise<void> => undefined): Promise<void> {
    const written: { path: string; aside: string; file: StoreFile }[] = [];
    try {
      for (const [path, bytes] of files) {
        this.#asides += 1;
        const aside = `${path}.${process.pid}.${(this.#asides >>> 0).toString(16).padStart(8, "0")}.tmp`;
        const file = await this.#layer.open(aside, "w");
        written.push({ path, aside, file });
        if ((await file.writev([bytes], 0)) !== bytes.length) throw new PpioError("NO_SPACE", "The disk is full; free some and repeat.");
      }
      const contents = written.map(({ aside, file }) => ({ key: aside, sync: () => file.datasync() }));
      // Asked for in one turn, so that they share a round. All must have ended before files are closed.
      const flushed = await Promise.allSettled([flushOthers(), this.#commits.sync(...contents)]);
      for (const result of flushed) if (result.status === "rejected") throw result.reason;
      for (const { path, aside } of written) await this.#layer.rename(aside, path);
    } catch (cause) {
      // What failed first counts; a leftover goes at the next start.
      for (const { aside } of written) await this.#layer.remove(aside).catch(() => undefined);
      throw cause;
    } finally {
      for (const { file } of written) await file.close().catch(() => undefined);
    }
  }
}
