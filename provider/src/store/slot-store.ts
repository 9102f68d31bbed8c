/**
 * Slots on disk: a folder each with `data`, `roots` (32 bytes per cell) and `meta.json`. A slot is acknowledged only after data, roots and
 * meta are flushed; what was not acknowledged may vanish, what was does not. Used space is counted from the headers, so it is exact
 * after any crash. No byte leaves that was not checked against the root in `meta.json`; a slot with a byte that does not match is
 * declared damaged.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { cellLength, cellRoot, type DealHeader, equalBytes, isPpioError, NODE_BYTES, PpioError, slotBytes, slotRoot } from "@ppio/core";
import { atomicWriteFile, diskError, isErrno, type Logger, readJsonFile, removeLeftovers, syncFolder } from "@ppio/daemon";
import { hexlify } from "ethers";
import { computeRoots, readFully } from "./cell-reader.ts";
import { RootsCache } from "./roots-cache.ts";
import { encodeMeta, headerOf, parseMeta, type SlotMeta, uploadIdOf } from "./slot-record.ts";

/** What one body holds in memory at most. */
export const WRITE_BATCH_BYTES = 512 << 10;
/** A sender of tiny pieces must not make memory grow with their number. */
const WRITE_BATCH_PIECES = 256;
const ROOTS_CACHE_BYTES = 16 << 20;
/** Left free on the disk for journals and records. */
const DISK_RESERVE_BYTES = 16 << 20;
const ID = /^[0-9a-f]{64}$/;
/** Renamed before it is deleted, so that a half deleted slot is never taken for one. */
const DROPPED = /^dropped-[0-9a-f]{64}$/;

export interface SlotStoreOptions {
  readonly dir: string;
  readonly capacityBytes: number;
  readonly log: Logger;
  /** Bytes that the disk itself has left; asked of the system unless given. */
  readonly diskFreeBytes?: () => Promise<number>;
  readonly now?: () => number;
}

export interface StoredSlot {
  readonly meta: SlotMeta;
  readonly header: DealHeader;
  readonly receivedBytes: number;
  /** Unix milliseconds of the last byte that came in. */
  readonly touchedAt: number;
  /** A request is writing to it. */
  readonly isBusy: boolean;
  /** A byte was found that does not match the root. */
  readonly isDamaged: boolean;
}

interface Entry extends StoredSlot {
  meta: SlotMeta;
  receivedBytes: number;
  touchedAt: number;
  isBusy: boolean;
  isDamaged: boolean;
  /** Neither `roots` nor the data give the root; known until the next start, so that it is found out once only. */
  areRootsLost: boolean;
  loading: Promise<Uint8Array> | undefined;
}

export class SlotStore {
  readonly #options: SlotStoreOptions;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #roots = new RootsCache(ROOTS_CACHE_BYTES);
  #usedBytes = 0;

  private constructor(options: SlotStoreOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Opens a folder and recovers every slot in it; one whose record is damaged is set aside, never deleted. */
  static async open(options: SlotStoreOptions): Promise<SlotStore> {
    const store = new SlotStore(options);
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    for (const name of await readdir(options.dir)) {
      if (DROPPED.test(name)) await rm(join(options.dir, name), { recursive: true, force: true });
      if (!ID.test(name)) continue;
      try {
        await store.#recover(name);
      } catch (error) {
        // A disk that fails is no damaged record: stop, and lose nothing.
        if (!isPpioError(error, "CORRUPT") && !isPpioError(error, "CONFIG")) throw error;
        options.log.error("a slot's record cannot be read; the slot is set aside", { uploadId: name, error });
        await rename(join(options.dir, name), join(options.dir, `damaged-${name}-${store.#now()}`));
      }
    }
    return store;
  }

  async #recover(uploadId: string): Promise<void> {
    const raw = await readJsonFile<unknown>(this.#path(uploadId, "meta.json"));
    if (raw === undefined) {
      // Created, but never acknowledged.
      await rm(join(this.#options.dir, uploadId), { recursive: true, force: true });
      return;
    }
    const meta = parseMeta(raw);
    if (meta.uploadId !== uploadId || uploadIdOf(meta.dealId, meta.slotIndex) !== uploadId) {
      throw new PpioError("CORRUPT", "A slot's meta.json belongs to another slot.");
    }
    await removeLeftovers(join(this.#options.dir, uploadId));
    const header = headerOf(meta);
    const total = slotBytes(header);
    const { size, mtimeMs } = await this.#dataStat(meta);
    const isDamaged = meta.state === "sealed" && size < total;
    if (isDamaged) this.#options.log.error("a sealed slot has lost bytes", { uploadId, size, total });
    const receivedBytes = Math.min(size, total);
    const idle = { isBusy: false, areRootsLost: false, loading: undefined };
    this.#entries.set(uploadId, { meta, header, receivedBytes, touchedAt: mtimeMs, isDamaged, ...idle });
    this.#usedBytes += total;
  }

  async #dataStat(meta: SlotMeta): Promise<{ readonly size: number; readonly mtimeMs: number }> {
    const path = this.#path(meta.uploadId, "data");
    try {
      return await stat(path);
    } catch (cause) {
      if (!isErrno(cause, "ENOENT")) throw diskError(cause, path);
      return { size: 0, mtimeMs: meta.createdAt };
    }
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** What is left of the capacity. */
  get freeBytes(): number {
    return Math.max(0, this.#options.capacityBytes - this.#usedBytes);
  }

  get damagedSlots(): number {
    return [...this.#entries.values()].filter((entry) => entry.isDamaged).length;
  }

  /** What can be promised: left of the capacity, and on the disk after all that was promised already. @throws IO */
  async availableBytes(): Promise<number> {
    const { dir, diskFreeBytes = () => diskFree(dir) } = this.#options;
    let promised = DISK_RESERVE_BYTES;
    for (const { header, receivedBytes } of this.#entries.values()) promised += slotBytes(header) - receivedBytes;
    try {
      return Math.max(0, Math.min(this.freeBytes, (await diskFreeBytes()) - promised));
    } catch (cause) {
      throw diskError(cause, dir);
    }
  }

  list(): readonly SlotMeta[] {
    return [...this.#entries.values()].map((entry) => entry.meta);
  }

  find(uploadId: string): StoredSlot | undefined {
    return this.#entries.get(uploadId);
  }

  /** Reserves space for a slot. @throws NO_SPACE, ALREADY_EXISTS, IO */
  async create(meta: SlotMeta): Promise<void> {
    const { uploadId } = meta;
    const { dir } = this.#options;
    const header = headerOf(meta);
    const total = slotBytes(header);
    const available = Math.min(await this.availableBytes(), this.freeBytes);
    if (this.#entries.has(uploadId)) throw new PpioError("ALREADY_EXISTS", "This slot is being uploaded already.");
    if (total > available) {
      throw new PpioError("NO_SPACE", `The slot needs ${total} bytes and ${available} are free here; use another provider.`);
    }
    const fresh = { receivedBytes: 0, touchedAt: this.#now(), isDamaged: false, areRootsLost: false, loading: undefined };
    const entry: Entry = { meta, header, isBusy: true, ...fresh };
    this.#entries.set(uploadId, entry);
    this.#usedBytes += total;
    try {
      await mkdir(join(dir, uploadId), { recursive: true, mode: 0o700 });
      await (await open(this.#path(uploadId, "data"), "w", 0o600)).close();
      // The record comes last: without it the folder goes at the next start.
      await this.#writeMeta(meta);
      await syncFolder(dir);
    } catch (cause) {
      this.#entries.delete(uploadId);
      this.#usedBytes -= total;
      await rm(join(dir, uploadId), { recursive: true, force: true }).catch(() => undefined);
      throw diskError(cause, dir);
    } finally {
      entry.isBusy = false;
    }
  }

  /** Appends a body at `offset`; what arrived before a cut stays. @throws CONFLICT, TOO_LARGE, NO_SPACE, IO, and what the body throws */
  async append(uploadId: string, offset: number, body: AsyncIterable<Uint8Array>): Promise<number> {
    const entry = this.#entry(uploadId);
    return this.#exclusively(entry, async () => {
      if (entry.meta.state !== "receiving" || offset !== entry.receivedBytes) {
        throw new PpioError("CONFLICT", `This upload stands at byte ${entry.receivedBytes}; continue there.`, {
          details: { receivedBytes: entry.receivedBytes },
        });
      }
      await this.#useData(entry, "r+", (handle) => this.#writeAll(entry, handle, body));
      return entry.receivedBytes;
    });
  }

  async #writeAll(entry: Entry, handle: FileHandle, body: AsyncIterable<Uint8Array>): Promise<void> {
    const total = slotBytes(entry.header);
    let batch: Uint8Array[] = [];
    let batchBytes = 0;
    const flush = async (): Promise<void> => {
      const [pieces, expected] = [batch, batchBytes];
      [batch, batchBytes] = [[], 0];
      if (expected === 0) return;
      const { bytesWritten } = await handle.writev(pieces, entry.receivedBytes);
      entry.receivedBytes += bytesWritten;
      entry.touchedAt = this.#now();
      if (bytesWritten !== expected) throw new PpioError("NO_SPACE", "The disk took only part of the data; try again later.");
    };
    try {
      for await (const piece of body) {
        if (entry.receivedBytes + batchBytes + piece.length > total) {
          throw new PpioError("TOO_LARGE", `The slot has ${total} bytes by its header; more were sent.`);
        }
        batch.push(piece);
        batchBytes += piece.length;
        if (batchBytes >= WRITE_BATCH_BYTES || batch.length >= WRITE_BATCH_PIECES) await flush();
      }
    } finally {
      // Whatever arrived before a cut is kept, so that a resume starts there.
      await flush();
    }
  }

  /**
   * Recomputes the tree from the disk and makes the slot durable. Repeating it is harmless.
   * @param expectedRoot what the owner says; a difference means that bytes were damaged on the way
   * @throws TRUNCATED, CORRUPT, NO_SPACE, IO
   */
  async seal(uploadId: string, expectedRoot: string): Promise<SlotMeta> {
    const entry = this.#entry(uploadId);
    const expected = expectedRoot.toLowerCase();
    return this.#exclusively(entry, async () => {
      const total = slotBytes(entry.header);
      if (entry.meta.state === "receiving") {
        if (entry.receivedBytes < total) {
          throw new PpioError("TRUNCATED", `Only ${entry.receivedBytes} of ${total} bytes have arrived; send the rest first.`, {
            details: { receivedBytes: entry.receivedBytes },
          });
        }
        await this.#sealNow(entry, expected);
      }
      if (entry.meta.root !== expected) throw wrongRoot(entry.meta.root);
      return entry.meta;
    });
  }

  async #sealNow(entry: Entry, expectedRoot: string): Promise<void> {
    const { uploadId } = entry.meta;
    const { roots, root } = await this.#useData(entry, "r+", async (handle) => {
      await handle.datasync();
      const made = await computeRoots(handle, entry.header);
      // Start over: which byte was damaged cannot be known.
      if (made.root !== expectedRoot) await handle.truncate(0);
      return made;
    });
    if (root !== expectedRoot) {
      entry.receivedBytes = 0;
      throw wrongRoot(root);
    }
    await atomicWriteFile(this.#path(uploadId, "roots"), roots, { mode: 0o600 });
    await this.#setMeta(entry, { ...entry.meta, state: "sealed", root });
    this.#roots.put(uploadId, roots);
  }

  /** Remembers until when an offer for the slot may be used, before it is handed out. */
  async markOffered(uploadId: string, offeredUntil: number): Promise<void> {
    const entry = this.#entry(uploadId);
    if (offeredUntil > entry.meta.offeredUntil) await this.#setMeta(entry, { ...entry.meta, offeredUntil });
  }

  /** Cell roots of a sealed slot, 32 bytes each, checked against the slot's root. @throws CORRUPT, IO */
  async cellRoots(uploadId: string): Promise<Uint8Array> {
    const entry = this.#entry(uploadId);
    const known = this.#roots.get(uploadId);
    if (known !== undefined) return known;
    entry.loading ??= this.#loadRoots(entry).finally(() => {
      entry.loading = undefined;
    });
    try {
      return await entry.loading;
    } catch (error) {
      throw this.#declare(entry, error);
    }
  }

  async #loadRoots(entry: Entry): Promise<Uint8Array> {
    const { uploadId, root } = entry.meta;
    if (root === null) throw new PpioError("NOT_FOUND", "This provider does not hold that slot yet.");
    if (entry.areRootsLost) throw new PpioError("CORRUPT", "The slot's tree and data are damaged on disk.");
    const path = this.#path(uploadId, "roots");
    const stored = await readFile(path).catch(() => new Uint8Array());
    let roots = new Uint8Array(stored);
    if (roots.length !== entry.header.rows * NODE_BYTES || hexlify(slotRoot(entry.header, roots)) !== root) {
      this.#options.log.warn("a slot's tree is damaged on disk; it is built again from the data", { uploadId });
      entry.areRootsLost = true;
      const made = await this.#useData(entry, "r", (handle) => computeRoots(handle, entry.header));
      if (made.root !== root) throw new PpioError("CORRUPT", "The slot's tree and data are damaged on disk.");
      entry.areRootsLost = false;
      roots = new Uint8Array(made.roots);
      await atomicWriteFile(path, roots, { mode: 0o600 });
    }
    this.#roots.put(uploadId, roots);
    return roots;
  }

  /** A cell's bytes, checked against its root; in `buffer` when one is given that holds it. @throws CORRUPT, IO */
  async readCell(uploadId: string, row: number, buffer?: Uint8Array): Promise<Uint8Array> {
    const entry = this.#entry(uploadId);
    const roots = await this.cellRoots(uploadId);
    const length = cellLength(entry.header, row);
    const cell = buffer === undefined ? new Uint8Array(length) : buffer.subarray(0, length);
    try {
      await this.#useData(entry, "r", (handle) => readFully(handle, cell, row * entry.header.cellBytes));
      if (!equalBytes(cellRoot(entry.header, cell), roots.subarray(row * NODE_BYTES, (row + 1) * NODE_BYTES))) {
        throw new PpioError("CORRUPT", `Cell ${row} of the slot is damaged on disk.`);
      }
    } catch (error) {
      throw this.#declare(entry, error);
    }
    return cell;
  }

  /** Damage is told once per slot. */
  #declare(entry: Entry, error: unknown): unknown {
    if (isPpioError(error, "CORRUPT") && !entry.isDamaged) {
      entry.isDamaged = true;
      const { uploadId, dealId, slotIndex } = entry.meta;
      this.#options.log.error("a slot is damaged on disk", { uploadId, dealId, slotIndex, error });
    }
    return error;
  }

  async #useData<T>(entry: Entry, flags: "r" | "r+", work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const path = this.#path(entry.meta.uploadId, "data");
    let handle: FileHandle;
    try {
      handle = await open(path, flags);
    } catch (cause) {
      if (isErrno(cause, "ENOENT")) throw new PpioError("CORRUPT", "The slot's data has vanished from the disk.", { cause });
      throw diskError(cause, path);
    }
    try {
      return await work(handle);
    } catch (cause) {
      throw diskError(cause, path);
    } finally {
      await handle.close();
    }
  }

  /** Forgets a slot and frees its space. @throws CONFLICT while a request writes to it, IO */
  async drop(uploadId: string): Promise<void> {
    const entry = this.#entries.get(uploadId);
    if (entry === undefined) return;
    const { dir } = this.#options;
    const aside = join(dir, `dropped-${uploadId}`);
    await this.#exclusively(entry, async () => {
      try {
        await rm(aside, { recursive: true, force: true });
        await rename(join(dir, uploadId), aside);
        await syncFolder(dir);
      } catch (cause) {
        if (!isErrno(cause, "ENOENT")) throw diskError(cause, dir);
      }
      this.#entries.delete(uploadId);
      this.#roots.delete(uploadId);
      this.#usedBytes -= slotBytes(entry.header);
    });
    await rm(aside, { recursive: true, force: true });
  }

  #entry(uploadId: string): Entry {
    const entry = this.#entries.get(uploadId);
    if (entry === undefined) throw new PpioError("NOT_FOUND", "This provider does not hold that slot.");
    return entry;
  }

  async #exclusively<T>(entry: Entry, work: () => Promise<T>): Promise<T> {
    if (entry.isBusy)
      throw new PpioError("CONFLICT", "Another request is working on this upload; wait for it.", {
        details: { receivedBytes: entry.receivedBytes },
      });
    entry.isBusy = true;
    try {
      return await work();
    } finally {
      entry.isBusy = false;
    }
  }

  async #setMeta(entry: Entry, meta: SlotMeta): Promise<void> {
    await this.#writeMeta(meta);
    entry.meta = meta;
  }

  #writeMeta(meta: SlotMeta): Promise<void> {
    return atomicWriteFile(this.#path(meta.uploadId, "meta.json"), encodeMeta(meta), { mode: 0o600 });
  }

  #path(uploadId: string, name: string): string {
    return join(this.#options.dir, uploadId, name);
  }
}

function wrongRoot(root: string | null): PpioError {
  return new PpioError("CORRUPT", "The bytes that arrived have another root; upload the slot again.", { details: { root } });
}

async function diskFree(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
