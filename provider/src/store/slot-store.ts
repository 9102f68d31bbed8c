/**
 * Slots on disk: a folder each with `data`, `roots` (32 bytes per cell) and `meta.json`. A slot is acknowledged only after data, roots and
 * meta are flushed; what was not acknowledged may vanish, what was does not. Used space is counted from the headers, so it is exact
 * after any crash.
 */
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { cellLength, cellRoot, type DealHeader, equalBytes, NODE_BYTES, PpioError, SlotTreeBuilder, slotBytes } from "@ppio/core";
import { atomicWriteFile, diskError, type Logger, readJsonFile, syncFolder } from "@ppio/daemon";
import { hexlify } from "ethers";
import { headerOf, parseMeta, type SlotMeta } from "./slot-record.ts";

const WRITE_BATCH_BYTES = 1 << 20;
/** Cell roots kept in memory, least recently used dropped. */
const ROOTS_CACHE_BYTES = 16 << 20;

export interface SlotStoreOptions {
  readonly dir: string;
  readonly capacityBytes: number;
  readonly log: Logger;
}

interface Entry {
  meta: SlotMeta;
  readonly header: DealHeader;
  receivedBytes: number;
  isBusy: boolean;
}

export class SlotStore {
  readonly #options: SlotStoreOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #roots = new Map<string, Uint8Array>();
  #usedBytes = 0;
  #rootsBytes = 0;

  private constructor(options: SlotStoreOptions) {
    this.#options = options;
  }

  /** Opens a folder and recovers every slot in it; damaged ones are moved aside, never deleted. */
  static async open(options: SlotStoreOptions): Promise<SlotStore> {
    const store = new SlotStore(options);
    await mkdir(options.dir, { recursive: true });
    for (const name of await readdir(options.dir)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      try {
        await store.#recover(name);
      } catch (error) {
        options.log.error("a slot cannot be read and is set aside", { uploadId: name, error });
        await rename(join(options.dir, name), join(options.dir, `damaged-${name}-${Date.now()}`));
      }
    }
    return store;
  }

  async #recover(uploadId: string): Promise<void> {
    const raw = await readJsonFile<unknown>(join(this.#options.dir, uploadId, "meta.json"));
    if (raw === undefined) {
      // Created, but never acknowledged.
      await rm(join(this.#options.dir, uploadId), { recursive: true, force: true });
      return;
    }
    const meta = parseMeta(raw);
    const header = headerOf(meta);
    const total = slotBytes(header);
    const { size } = await stat(this.#path(uploadId, "data"));
    if (meta.state === "sealed" && size < total) this.#options.log.error("a sealed slot has lost bytes", { uploadId, size, total });
    this.#entries.set(uploadId, { meta, header, receivedBytes: Math.min(size, total), isBusy: false });
    this.#usedBytes += total;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get freeBytes(): number {
    return Math.max(0, this.#options.capacityBytes - this.#usedBytes);
  }

  list(): readonly SlotMeta[] {
    return [...this.#entries.values()].map((entry) => entry.meta);
  }

  find(uploadId: string): { readonly meta: SlotMeta; readonly header: DealHeader; readonly receivedBytes: number } | undefined {
    return this.#entries.get(uploadId);
  }

  /** Reserves space for a slot. @throws NO_SPACE, ALREADY_EXISTS */
  async create(meta: SlotMeta): Promise<void> {
    if (this.#entries.has(meta.uploadId)) throw new PpioError("ALREADY_EXISTS", "This slot is being uploaded already.");
    const header = headerOf(meta);
    const total = slotBytes(header);
    if (total > this.freeBytes) {
      throw new PpioError("NO_SPACE", `The slot needs ${total} bytes and ${this.freeBytes} are free here; use another provider.`);
    }
    this.#entries.set(meta.uploadId, { meta, header, receivedBytes: 0, isBusy: false });
    this.#usedBytes += total;
    try {
      await mkdir(join(this.#options.dir, meta.uploadId), { recursive: true });
      await (await open(this.#path(meta.uploadId, "data"), "a")).close();
      await this.#writeMeta(meta);
      await syncFolder(this.#options.dir);
    } catch (cause) {
      await this.drop(meta.uploadId);
      throw diskError(cause, this.#options.dir);
    }
  }

  /** Appends a body at `offset`; what arrived before a cut stays. @throws CONFLICT, TOO_LARGE, NO_SPACE */
  async append(uploadId: string, offset: number, body: AsyncIterable<Uint8Array>): Promise<number> {
    const entry = this.#entry(uploadId);
    return this.#exclusively(entry, async () => {
      if (entry.meta.state !== "receiving" || offset !== entry.receivedBytes) {
        throw new PpioError("CONFLICT", `This upload stands at byte ${entry.receivedBytes}; continue there.`, {
          details: { receivedBytes: entry.receivedBytes },
        });
      }
      const handle = await open(this.#path(uploadId, "data"), "r+");
      try {
        await this.#writeAll(entry, handle, body);
      } catch (cause) {
        throw diskError(cause, this.#path(uploadId, "data"));
      } finally {
        await handle.close();
      }
      return entry.receivedBytes;
    });
  }

  async #writeAll(entry: Entry, handle: FileHandle, body: AsyncIterable<Uint8Array>): Promise<void> {
    const total = slotBytes(entry.header);
    let batch: Uint8Array[] = [];
    let batchBytes = 0;
    const flush = async (): Promise<void> => {
      if (batchBytes === 0) return;
      const { bytesWritten } = await handle.writev(batch, entry.receivedBytes);
      if (bytesWritten !== batchBytes) throw new PpioError("NO_SPACE", "The disk took only part of the data; free space and resume.");
      entry.receivedBytes += batchBytes;
      batch = [];
      batchBytes = 0;
    };
    try {
      for await (const piece of body) {
        if (entry.receivedBytes + batchBytes + piece.length > total) {
          throw new PpioError("TOO_LARGE", `The slot has ${total} bytes by its header; more were sent.`);
        }
        batch.push(piece);
        batchBytes += piece.length;
        if (batchBytes >= WRITE_BATCH_BYTES) await flush();
      }
    } finally {
      // Whatever arrived before a cut is kept, so that a resume starts there.
      await flush();
    }
  }

  /**
   * Recomputes the tree from the disk and makes the slot durable. Repeating it is harmless.
   * @param expectedRoot what the owner says; a difference means that bytes were damaged on the way
   * @throws TRUNCATED, CORRUPT
   */
  async seal(uploadId: string, expectedRoot: string): Promise<SlotMeta> {
    const entry = this.#entry(uploadId);
    return this.#exclusively(entry, async () => {
      const total = slotBytes(entry.header);
      if (entry.receivedBytes < total) {
        throw new PpioError("TRUNCATED", `Only ${entry.receivedBytes} of ${total} bytes have arrived; send the rest first.`, {
          details: { receivedBytes: entry.receivedBytes },
        });
      }
      if (entry.meta.state === "receiving") await this.#sealNow(entry, expectedRoot);
      if (entry.meta.root !== expectedRoot) {
        throw new PpioError("CORRUPT", "The bytes that arrived have another root; upload the slot again.", {
          details: { root: entry.meta.root },
        });
      }
      return entry.meta;
    });
  }

  async #sealNow(entry: Entry, expectedRoot: string): Promise<void> {
    const { uploadId } = entry.meta;
    const data = await open(this.#path(uploadId, "data"), "r+");
    try {
      await data.datasync();
    } finally {
      await data.close();
    }
    const builder = new SlotTreeBuilder(entry.header);
    const roots = new Uint8Array(entry.header.rows * NODE_BYTES);
    let row = 0;
    for await (const cell of this.#cells(entry)) {
      roots.set(builder.push(cell), row * NODE_BYTES);
      row += 1;
    }
    const root = hexlify(builder.finish().root);
    if (root !== expectedRoot) {
      // Start over: which byte was damaged cannot be known.
      entry.receivedBytes = 0;
      await (await open(this.#path(uploadId, "data"), "w")).close();
      throw new PpioError("CORRUPT", "The bytes that arrived have another root; upload the slot again.", { details: { root } });
    }
    await atomicWriteFile(this.#path(uploadId, "roots"), roots);
    await this.#setMeta(entry, { ...entry.meta, state: "sealed", root });
  }

  async *#cells(entry: Entry): AsyncGenerator<Uint8Array> {
    const stream = createReadStream(this.#path(entry.meta.uploadId, "data"), { highWaterMark: entry.header.cellBytes });
    let row = 0;
    let pending = new Uint8Array();
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      let bytes = piece;
      if (pending.length > 0) {
        bytes = new Uint8Array(pending.length + piece.length);
        bytes.set(pending);
        bytes.set(piece, pending.length);
      }
      let at = 0;
      while (row < entry.header.rows && bytes.length - at >= cellLength(entry.header, row)) {
        const length = cellLength(entry.header, row);
        yield bytes.subarray(at, at + length);
        at += length;
        row += 1;
      }
      pending = bytes.slice(at);
    }
  }

  /** Remembers until when an offer for the slot may be used, before it is handed out. */
  async markOffered(uploadId: string, offeredUntil: number): Promise<void> {
    const entry = this.#entry(uploadId);
    if (offeredUntil > entry.meta.offeredUntil) await this.#setMeta(entry, { ...entry.meta, offeredUntil });
  }

  /** Cell roots of a sealed slot, 32 bytes each. */
  async cellRoots(uploadId: string): Promise<Uint8Array> {
    const known = this.#roots.get(uploadId);
    if (known !== undefined) {
      this.#roots.delete(uploadId);
      this.#roots.set(uploadId, known);
      return known;
    }
    const entry = this.#entry(uploadId);
    let roots: Uint8Array;
    try {
      roots = new Uint8Array(await readFile(this.#path(uploadId, "roots")));
    } catch (cause) {
      throw diskError(cause, this.#path(uploadId, "roots"));
    }
    if (roots.length !== entry.header.rows * NODE_BYTES) throw new PpioError("CORRUPT", "The slot's tree on disk is damaged.");
    this.#roots.set(uploadId, roots);
    this.#rootsBytes += roots.length;
    for (const [oldest, bytes] of this.#roots) {
      if (this.#rootsBytes <= ROOTS_CACHE_BYTES || oldest === uploadId) break;
      this.#roots.delete(oldest);
      this.#rootsBytes -= bytes.length;
    }
    return roots;
  }

  /** A cell's bytes, checked against its root. @throws CORRUPT */
  async readCell(uploadId: string, row: number): Promise<Uint8Array> {
    const entry = this.#entry(uploadId);
    const roots = await this.cellRoots(uploadId);
    const length = cellLength(entry.header, row);
    const cell = new Uint8Array(length);
    const handle = await this.#openData(uploadId);
    try {
      const { bytesRead } = await handle.read(cell, 0, length, row * entry.header.cellBytes);
      if (bytesRead !== length) throw new PpioError("CORRUPT", `Cell ${row} of the slot is cut short on disk.`);
    } finally {
      await handle.close();
    }
    if (!equalBytes(cellRoot(entry.header, cell), roots.subarray(row * NODE_BYTES, (row + 1) * NODE_BYTES))) {
      throw new PpioError("CORRUPT", `Cell ${row} of the slot is damaged on disk.`);
    }
    return cell;
  }

  async #openData(uploadId: string): Promise<FileHandle> {
    try {
      return await open(this.#path(uploadId, "data"), "r");
    } catch (cause) {
      throw new PpioError("CORRUPT", "The slot's data has vanished from the disk.", { cause });
    }
  }

  /** Forgets a slot and frees its space. */
  async drop(uploadId: string): Promise<void> {
    const entry = this.#entries.get(uploadId);
    if (entry === undefined) return;
    this.#entries.delete(uploadId);
    this.#rootsBytes -= this.#roots.get(uploadId)?.length ?? 0;
    this.#roots.delete(uploadId);
    await rm(join(this.#options.dir, uploadId), { recursive: true, force: true });
    this.#usedBytes -= slotBytes(entry.header);
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
    return atomicWriteFile(this.#path(meta.uploadId, "meta.json"), JSON.stringify(meta));
  }

  #path(uploadId: string, name: string): string {
    return join(this.#options.dir, uploadId, name);
  }
}
