/**
 * Slots on disk: a folder each with `data`, `roots` (32 bytes per cell) and `meta.json`. A slot is acknowledged only after data, roots and
 * meta are flushed; what was not acknowledged may vanish, what was does not. Used space is counted from the headers, so it is exact
 * after any crash. No byte leaves that was not checked against the root in `meta.json`; a slot with a byte that does not match is
 * declared damaged.
 */
import { cellLength, cellRoot, equalBytes, isPpioError, NODE_BYTES, PpioError, slotBytes, slotRoot } from "@ppio/core";
import { diskError, isErrno, type Logger } from "@ppio/daemon";
import { hexlify } from "ethers";
import { computeRoots, readFully } from "./cell-reader.ts";
import { EarlyFlush } from "./early-flush.ts";
import { type FileLayer, nodeFileLayer, type StoreFile } from "./file-layer.ts";
import { RootsCache } from "./roots-cache.ts";
import type { Entry, StoredSlot } from "./slot-entry.ts";
import { SlotFiles } from "./slot-files.ts";
import { headerOf, parseMeta, type SlotMeta, uploadIdOf } from "./slot-record.ts";
import { writeBody } from "./slot-writer.ts";

const ROOTS_CACHE_BYTES = 16 << 20;
/** While a body comes in, what was written is flushed after so much. */
const FLUSH_EVERY_BYTES = 8 << 20;
/** Left free on the disk for journals and records. */
const DISK_RESERVE_BYTES = 16 << 20;

export interface SlotStoreOptions {
  readonly dir: string;
  readonly capacityBytes: number;
  readonly log: Logger;
  /** Bytes that the disk itself has left; asked of the system unless given. */
  readonly diskFreeBytes?: () => Promise<number>;
  readonly now?: () => number;
  /** Told once per slot and start, when a byte is found that does not match the root. */
  readonly onDamage?: (meta: SlotMeta) => void;
  /** While a body comes in; 8 MiB unless given. */
  readonly flushEveryBytes?: number;
  /** The disk; node:fs unless given. */
  readonly files?: FileLayer;
}

export class SlotStore {
  readonly #options: SlotStoreOptions;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #roots = new RootsCache(ROOTS_CACHE_BYTES);
  readonly #layer: FileLayer;
  readonly #files: SlotFiles;
  #usedBytes = 0;

  private constructor(options: SlotStoreOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#layer = options.files ?? nodeFileLayer;
    this.#files = new SlotFiles(options.dir, this.#layer);
  }

  /** Opens a folder and recovers every slot in it; one whose record is damaged is set aside, never deleted. */
  static async open(options: SlotStoreOptions): Promise<SlotStore> {
    const store = new SlotStore(options);
    try {
      for (const name of await store.#files.prepare()) await store.#recoverOrSetAside(name);
    } catch (cause) {
      // A disk that fails is no damaged record: stop, and lose nothing.
      throw diskError(cause, options.dir);
    }
    return store;
  }

  async #recoverOrSetAside(uploadId: string): Promise<void> {
    try {
      await this.#recover(uploadId);
    } catch (error) {
      if (!isPpioError(error, "CORRUPT")) throw error;
      this.#options.log.error("a slot's record cannot be read; the slot is set aside", { uploadId, error });
      await this.#files.setAside(uploadId, this.#now());
    }
  }

  async #recover(uploadId: string): Promise<void> {
    const raw = await this.#files.readRecord(uploadId);
    // Created, but never acknowledged.
    if (raw === undefined) return this.#files.removeSlot(uploadId);
    const meta = parseMeta(raw);
    if (meta.uploadId !== uploadId || uploadIdOf(meta.dealId, meta.slotIndex) !== uploadId) {
      throw new PpioError("CORRUPT", "A slot's meta.json belongs to another slot.");
    }
    await this.#files.removeLeftovers(uploadId);
    const header = headerOf(meta);
    const total = slotBytes(header);
    const { size, mtimeMs } = (await this.#files.dataStat(uploadId)) ?? { size: 0, mtimeMs: meta.createdAt };
    const idle = { isBusy: false, isDamaged: false, areRootsLost: false, isSealInDoubt: false, loading: undefined };
    const entry: Entry = { meta, header, receivedBytes: Math.min(size, total), touchedAt: mtimeMs, ...idle };
    this.#entries.set(uploadId, entry);
    this.#usedBytes += total;
    if (meta.state === "sealed" && size < total) {
      this.#declare(entry, new PpioError("CORRUPT", `A sealed slot has lost bytes: ${size} of ${total} are left.`));
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
    const { dir, diskFreeBytes = () => this.#layer.freeBytes(dir) } = this.#options;
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

  /** Neither tree nor data give the root: no cell of the slot can be served. */
  areRootsLost(uploadId: string): boolean {
    return this.#entries.get(uploadId)?.areRootsLost ?? false;
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
    const fresh = {
      receivedBytes: 0,
      touchedAt: this.#now(),
      isDamaged: false,
      areRootsLost: false,
      isSealInDoubt: false,
      loading: undefined,
    };
    const entry: Entry = { meta, header, isBusy: true, ...fresh };
    this.#entries.set(uploadId, entry);
    this.#usedBytes += total;
    try {
      await this.#files.create(meta);
    } catch (cause) {
      this.#entries.delete(uploadId);
      this.#usedBytes -= total;
      await this.#files.removeSlot(uploadId).catch(() => undefined);
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
      await this.#useData(entry, "r+", (file) => this.#writeFlushing(entry, file, body));
      return entry.receivedBytes;
    });
  }

  async #writeFlushing(entry: Entry, file: StoreFile, body: AsyncIterable<Uint8Array>): Promise<void> {
    const { flushEveryBytes = FLUSH_EVERY_BYTES } = this.#options;
    const early = new EarlyFlush(() => this.#files.syncData(entry.meta.uploadId, file), flushEveryBytes);
    try {
      await writeBody(entry, file, body, (bytes) => {
        entry.touchedAt = this.#now();
        early.wrote(bytes);
      });
    } finally {
      await this.#orStartOver(entry, file, early.end());
    }
  }

  /** A system that failed to flush forgets what it could not write: a second flush would succeed and mean nothing. */
  async #orStartOver(entry: Entry, file: StoreFile, flushed: Promise<void>): Promise<void> {
    try {
      await flushed;
    } catch (cause) {
      await this.#startOver(entry, file);
      throw cause;
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
    const roots = await this.#useData(entry, "r+", async (file) => {
      // The disk works while the tree is computed.
      const flushed = this.#files.syncData(uploadId, file);
      flushed.catch(() => undefined);
      const made = await computeRoots(file, entry.header);
      await this.#orStartOver(entry, file, flushed);
      if (made.root !== expectedRoot) {
        // Which byte was damaged cannot be known.
        await this.#startOver(entry, file);
        throw wrongRoot(made.root);
      }
      return made.roots;
    });
    const meta: SlotMeta = { ...entry.meta, state: "sealed", root: expectedRoot };
    entry.isSealInDoubt = true;
    await this.#files.writeSeal(meta, roots);
    entry.isSealInDoubt = false;
    entry.meta = meta;
    this.#roots.put(uploadId, roots);
  }

  async #startOver(entry: Entry, file: StoreFile): Promise<void> {
    // A sealed record must never stand beside bytes that are gone.
    if (entry.isSealInDoubt) await this.#files.writeRecord(entry.meta);
    entry.isSealInDoubt = false;
    entry.receivedBytes = 0;
    // On a disk that refuses, the root tells.
    await file.truncate(0).catch(() => undefined);
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
    let roots = await this.#layer.readFile(this.#files.path(uploadId, "roots")).catch(() => new Uint8Array());
    if (roots.length !== entry.header.rows * NODE_BYTES || hexlify(slotRoot(entry.header, roots)) !== root) {
      this.#options.log.warn("a slot's tree is damaged on disk; it is built again from the data", { uploadId });
      entry.areRootsLost = true;
      const made = await this.#useData(entry, "r", (file) => computeRoots(file, entry.header));
      if (made.root !== root) throw new PpioError("CORRUPT", "The slot's tree and data are damaged on disk.");
      entry.areRootsLost = false;
      roots = new Uint8Array(made.roots);
      await this.#files.writeRoots(uploadId, roots);
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
      await this.#useData(entry, "r", (file) => readFully(file, cell, row * entry.header.cellBytes));
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
      this.#options.onDamage?.(entry.meta);
    }
    return error;
  }

  async #useData<T>(entry: Entry, flags: "r" | "r+", work: (file: StoreFile) => Promise<T>): Promise<T> {
    const path = this.#files.path(entry.meta.uploadId, "data");
    let file: StoreFile;
    try {
      file = await this.#layer.open(path, flags);
    } catch (cause) {
      if (!isErrno(cause, "ENOENT")) throw diskError(cause, path);
      await this.#files.checkDisk();
      throw new PpioError("CORRUPT", "The slot's data has vanished from the disk.", { cause });
    }
    try {
      return await work(file);
    } catch (cause) {
      throw diskError(cause, path);
    } finally {
      await file.close();
    }
  }

  /** Forgets a slot and frees its space. @throws CONFLICT while a request writes to it, IO */
  async drop(uploadId: string): Promise<void> {
    const entry = this.#entries.get(uploadId);
    if (entry === undefined) return;
    const removeBytes = await this.#exclusively(entry, async () => {
      const remove = await this.#files.forget(uploadId);
      this.#entries.delete(uploadId);
      this.#roots.delete(uploadId);
      this.#usedBytes -= slotBytes(entry.header);
      return remove;
    });
    await removeBytes();
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
    await this.#files.writeRecord(meta);
    entry.meta = meta;
  }
}

function wrongRoot(root: string | null): PpioError {
  return new PpioError("CORRUPT", "The bytes that arrived have another root; upload the slot again.", { details: { root } });
}
