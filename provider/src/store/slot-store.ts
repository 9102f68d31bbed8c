/**
 * Slots on disk: a folder each with `data`, `roots` (32 bytes per cell) and `meta.json`. A slot is acknowledged only after data, roots and
 * meta are flushed; what was not acknowledged may vanish, what was does not. Used space is counted from the headers, so it is exact
 * after any crash. Bytes are held against the root in `meta.json` before they leave, unless their reader does that; a slot with a byte that
 * is seen not to match is declared damaged.
 */
import { cellLength, isPpioError, PpioError, slotBytes } from "@ppio/core";
import { type ByteSource, diskError, type Logger } from "@ppio/daemon";
import type { CellReader } from "./cell-reader.ts";
import { type FileLayer, nodeFileLayer } from "./file-layer.ts";
import { SlotEntries } from "./slot-entries.ts";
import { type Entry, notHeld, type StoredSlot } from "./slot-entry.ts";
import { SlotFiles } from "./slot-files.ts";
import { type IntakeOptions, SlotIntake, wrongRoot } from "./slot-intake.ts";
import { headerOf, parseMeta, type SlotMeta, uploadIdOf } from "./slot-record.ts";
import { SlotTrees } from "./slot-trees.ts";
import type { WriteSteps } from "./slot-writer.ts";

/** Left free on the disk for journals and records. */
const DISK_RESERVE_BYTES = 16 << 20;

export interface SlotStoreOptions extends IntakeOptions {
  readonly dir: string;
  readonly capacityBytes: number;
  readonly log: Logger;
  /** Bytes that the disk itself has left; asked of the system unless given. */
  readonly diskFreeBytes?: () => Promise<number>;
  readonly now?: () => number;
  /** Told once per slot and start, when a byte is found that does not match the root. */
  readonly onDamage?: (meta: SlotMeta, error: PpioError) => void;
  /** The disk; node:fs unless given. */
  readonly files?: FileLayer;
}

export class SlotStore {
  readonly #options: SlotStoreOptions;
  readonly #now: () => number;
  readonly #entries = new SlotEntries();
  readonly #trees: SlotTrees;
  readonly #intake: SlotIntake;
  readonly #layer: FileLayer;
  readonly #files: SlotFiles;
  #usedBytes = 0;

  private constructor(options: SlotStoreOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#layer = options.files ?? nodeFileLayer;
    this.#files = new SlotFiles(options.dir, this.#layer);
    this.#trees = new SlotTrees(this.#files, options);
    const parts = { files: this.#files, entries: this.#entries, trees: this.#trees, now: this.#now };
    this.#intake = new SlotIntake(parts, options);
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
    this.#entries.add(meta, Math.min(size, total), mtimeMs);
    this.#usedBytes += total;
    if (meta.state === "sealed" && size < total) {
      this.#trees.declare(this.#entry(uploadId), new PpioError("CORRUPT", `A sealed slot has lost bytes: ${size} of ${total} are left.`));
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
    return this.#entries.table.countOf("damaged");
  }

  /** Slots held, and on their way in. */
  get count(): number {
    return this.#entries.table.count;
  }

  /** Slots that were moved away because their records could not be read; they stay on the disk. */
  get slotsSetAside(): number {
    return this.#files.setAsideCount;
  }

  /** Whether the disk is there and takes bytes for good. @throws NO_SPACE, IO */
  probe(): Promise<void> {
    return this.#files.probe();
  }

  /** What can be promised: left of the capacity, and on the disk after all that was promised already. @throws IO */
  async availableBytes(): Promise<number> {
    const { dir, diskFreeBytes = () => this.#layer.freeBytes(dir) } = this.#options;
    try {
      return Math.max(0, Math.min(this.freeBytes, (await diskFreeBytes()) - DISK_RESERVE_BYTES - this.#entries.table.missingBytes));
    } catch (cause) {
      throw diskError(cause, dir);
    }
  }

  /** Every record, read out of the table: for few slots, or for one who needs them all. */
  list(): readonly SlotMeta[] {
    const { table } = this.#entries;
    return Array.from(table.places(), (place) => table.meta(place));
  }

  /** Sealed slots from an id on, in the order of their ids; slots may come and go meanwhile. */
  *sealedFrom(uploadId: string): Generator<string> {
    const { table } = this.#entries;
    const first = uploadId === "" ? 0 : Number.parseInt(uploadId.slice(0, 2), 16);
    for (let byte = first; byte <= 0xff; byte += 1) {
      const ids: string[] = [];
      for (const place of table.places()) {
        if (table.firstByte(place) === byte && table.isSealed(place)) ids.push(table.uploadId(place));
      }
      for (const id of ids.sort()) if (id >= uploadId) yield id;
    }
  }

  damagedIds(): readonly string[] {
    const { table } = this.#entries;
    const ids: string[] = [];
    for (const place of table.places()) if (table.has(place, "damaged")) ids.push(table.uploadId(place));
    return ids;
  }

  /** Slots that housekeeping has not put off beyond `period`, at most so many of each kind, and how many there are without a deal. */
  due(
    period: number,
    most: { readonly dealt: number; readonly undealt: number },
  ): { readonly slots: readonly SlotMeta[]; readonly undealt: number } {
    const { table } = this.#entries;
    const slots: SlotMeta[] = [];
    let [dealt, undealt] = [0, 0];
    for (const place of table.places()) {
      if (table.lookFrom(place) > period) continue;
      if (table.has(place, "dealt")) dealt += 1;
      else undealt += 1;
      if (table.has(place, "dealt") ? dealt <= most.dealt : undealt <= most.undealt) slots.push(table.meta(place));
    }
    return { slots, undealt };
  }

  /** Until the next start. */
  postpone(uploadId: string, period: number): void {
    const place = this.#entries.table.placeOf(uploadId);
    if (place >= 0) this.#entries.table.postpone(place, period);
  }

  /** Whether the slot's deal was seen on the chain; housekeeping says so. */
  isDealt(uploadId: string): boolean {
    const { table } = this.#entries;
    const place = table.placeOf(uploadId);
    return place >= 0 && table.has(place, "dealt");
  }

  markDealt(uploadId: string, isDealt: boolean): void {
    const { table } = this.#entries;
    const place = table.placeOf(uploadId);
    if (place >= 0) table.setFlag(place, "dealt", isDealt);
  }

  /** Space of a payer's slots without a deal, finished ones included, but for those that are others'. */
  undealtBytes(payer: string, isOthers: (uploadId: string) => boolean = () => false): number {
    const { table } = this.#entries;
    const isPayers = table.payerFilter(payer);
    let bytes = 0;
    for (const place of table.places()) {
      if (!isPayers(place) || table.has(place, "dealt") || isOthers(table.uploadId(place))) continue;
      bytes += slotBytes(table.header(place));
    }
    return bytes;
  }

  has(uploadId: string): boolean {
    return this.#entries.table.placeOf(uploadId) >= 0;
  }

  /** As the slot is now; what is asked of a sealed slot does not change by itself. */
  find(uploadId: string): StoredSlot | undefined {
    return this.#entries.look(uploadId);
  }

  /** Neither tree nor data give the root: no cell of the slot can be served. */
  areRootsLost(uploadId: string): boolean {
    return this.#entries.get(uploadId)?.areRootsLost ?? false;
  }

  /** Read again, and every byte matched: what was met before was a fault of the reading. */
  markWhole(uploadId: string): void {
    const entry = this.#entries.get(uploadId);
    if (entry !== undefined) entry.isDamaged = false;
  }

  /** Whether the folder is the one of the start. @throws IO */
  checkDisk(): Promise<void> {
    return this.#files.checkDisk();
  }

  /** Reserves space for a slot. @throws NO_SPACE, ALREADY_EXISTS, IO */
  async create(meta: SlotMeta): Promise<void> {
    const { uploadId } = meta;
    const { dir } = this.#options;
    const header = headerOf(meta);
    const total = slotBytes(header);
    const available = Math.min(await this.availableBytes(), this.freeBytes);
    if (this.has(uploadId)) throw new PpioError("ALREADY_EXISTS", "This slot is being uploaded already.");
    if (total > available) {
      throw new PpioError("NO_SPACE", `The slot needs ${total} bytes and ${available} are free here; use another provider.`);
    }
    this.#entries.add(meta, 0, this.#now());
    const entry = this.#entry(uploadId);
    entry.isBusy = true;
    this.#usedBytes += total;
    try {
      await this.#files.create(meta);
    } catch (cause) {
      this.#entries.delete(entry);
      this.#usedBytes -= total;
      await this.#files.removeSlot(uploadId).catch(() => undefined);
      throw diskError(cause, dir);
    } finally {
      entry.isBusy = false;
    }
  }

  /** Appends a body at `offset`; what arrived before a cut stays. @throws CONFLICT, TOO_LARGE, NO_SPACE, IO, and what the body throws */
  async append(uploadId: string, offset: number, body: ByteSource, steps?: WriteSteps): Promise<number> {
    const entry = this.#entry(uploadId);
    return this.#exclusively(entry, async () => {
      if (entry.meta.state !== "receiving" || offset !== entry.receivedBytes) {
        throw new PpioError("CONFLICT", `This upload stands at byte ${entry.receivedBytes}; continue there.`, {
          details: { receivedBytes: entry.receivedBytes },
        });
      }
      await this.#intake.write(entry, body, steps);
      return entry.receivedBytes;
    });
  }

  /**
   * Whether the bytes that arrived are all there and have this root; reads back what was not hashed as it came in.
   * @param expectedRoot what the owner says; a difference means that bytes were damaged on the way
   * @throws TRUNCATED, CORRUPT, IO
   */
  async check(uploadId: string, expectedRoot: string): Promise<SlotMeta> {
    const entry = this.#entry(uploadId);
    return this.#exclusively(entry, async () => {
      const expected = expectedRoot.toLowerCase();
      if (entry.meta.state === "receiving") await this.#intake.check(entry, expected);
      else if (entry.meta.root !== expected) throw wrongRoot(entry.meta.root);
      return entry.meta;
    });
  }

  /**
   * Checks as `check` does and makes the slot durable. Repeating it is harmless.
   * @param offeredUntil until when an offer for the slot may be used, remembered before it is handed out; 0 for no offer
   * @throws TRUNCATED, CORRUPT, NO_SPACE, IO
   */
  async seal(uploadId: string, expectedRoot: string, offeredUntil = 0): Promise<SlotMeta> {
    const entry = this.#entry(uploadId);
    return this.#exclusively(entry, async () => {
      const expected = expectedRoot.toLowerCase();
      if (entry.meta.state === "receiving") await this.#intake.seal(entry, expected, offeredUntil);
      else if (entry.meta.root !== expected) throw wrongRoot(entry.meta.root);
      if (offeredUntil > entry.meta.offeredUntil) await this.#setMeta(entry, { ...entry.meta, offeredUntil });
      return entry.meta;
    });
  }

  /** Cell roots of a sealed slot, 32 bytes each, checked against the slot's root. @throws CORRUPT, IO */
  async cellRoots(uploadId: string): Promise<Uint8Array> {
    return (await this.#trees.of(this.#entry(uploadId))).roots;
  }

  /** Opens a sealed slot for reading; the caller closes it. @throws CORRUPT, IO */
  async openCells(uploadId: string): Promise<CellReader> {
    return this.#trees.openCells(this.#entry(uploadId));
  }

  /** A cell's bytes, checked against its root; in `buffer` when one is given that holds it. @throws CORRUPT, IO */
  async readCell(uploadId: string, row: number, buffer?: Uint8Array): Promise<Uint8Array> {
    const reader = await this.openCells(uploadId);
    try {
      const length = cellLength(reader.tree.header, row);
      const cell = buffer?.subarray(0, length) ?? new Uint8Array(length);
      await reader.read(row, [cell]);
      return cell;
    } finally {
      await reader.close();
    }
  }

  /**
   * Writes record and tree of a whole slot again where the disk has spoiled them: they are known here, and not after the next start.
   * @returns whether something had to be written. @throws NO_SPACE, IO
   */
  async mend(uploadId: string): Promise<boolean> {
    const entry = this.#entries.get(uploadId);
    if (entry === undefined || entry.isBusy || entry.isDamaged || entry.meta.state !== "sealed") return false;
    return this.#exclusively(entry, async () => {
      const names = await this.#files.mend(entry.meta, (await this.#trees.of(entry)).roots);
      if (names.length > 0) this.#options.log.warn("records of a slot were damaged on disk and are written again", { uploadId, names });
      return names.length > 0;
    });
  }

  /** Forgets a slot and frees its space. @throws CONFLICT while a request writes to it, IO */
  async drop(uploadId: string): Promise<void> {
    const entry = this.#entries.get(uploadId);
    if (entry === undefined) return;
    const removeBytes = await this.#exclusively(entry, async () => {
      entry.isLeaving = true;
      const remove = await this.#files.forget(uploadId);
      this.#entries.delete(entry);
      this.#trees.delete(uploadId);
      this.#intake.forget(uploadId);
      this.#usedBytes -= slotBytes(entry.header);
      return remove;
    });
    await removeBytes();
  }

  #entry(uploadId: string): Entry {
    const entry = this.#entries.get(uploadId);
    if (entry === undefined) throw notHeld();
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
