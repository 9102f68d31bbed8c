/**
 * The slots of a store by their ids. A slot that comes in keeps its entry; a sealed one has an entry only while somebody works with it, never
 * two at once, and is a record in the table otherwise.
 */
import { Entry, restingSlot, type StoredSlot } from "./slot-entry.ts";
import type { SlotMeta } from "./slot-record.ts";
import { SlotTable } from "./slot-table.ts";

export class SlotEntries {
  readonly table = new SlotTable();
  readonly #receiving = new Map<string, Entry>();
  /** Of sealed slots, for as long as somebody has them. */
  readonly #lent = new Map<string, WeakRef<Entry>>();
  readonly #collected = new FinalizationRegistry<string>((uploadId) => {
    if (this.#lent.get(uploadId)?.deref() === undefined) this.#lent.delete(uploadId);
  });

  add(meta: SlotMeta, receivedBytes: number, touchedAt: number): void {
    const place = this.table.add(meta, receivedBytes, touchedAt);
    if (meta.state === "receiving") this.#receiving.set(meta.uploadId, new Entry(this.table, place));
  }

  /** To work with. */
  get(uploadId: string): Entry | undefined {
    const known = this.#known(uploadId);
    if (known !== undefined) return known;
    const place = this.table.placeOf(uploadId);
    return place < 0 ? undefined : this.#lend(new Entry(this.table, place));
  }

  /** To look at: as it is now. */
  look(uploadId: string): StoredSlot | undefined {
    const known = this.#known(uploadId);
    if (known !== undefined) return known;
    const place = this.table.placeOf(uploadId);
    return place < 0 ? undefined : restingSlot(this.table, place);
  }

  /** Nothing comes in any more. */
  sealed(entry: Entry): void {
    this.#receiving.delete(entry.meta.uploadId);
    this.#lend(entry);
  }

  delete(entry: Entry): void {
    entry.forget();
    this.#receiving.delete(entry.meta.uploadId);
    this.#lent.delete(entry.meta.uploadId);
  }

  #known(uploadId: string): Entry | undefined {
    return this.#receiving.get(uploadId) ?? this.#lent.get(uploadId)?.deref();
  }

  #lend(entry: Entry): Entry {
    const { uploadId } = entry.meta;
    this.#lent.set(uploadId, new WeakRef(entry));
    this.#collected.register(entry, uploadId);
    return entry;
  }
}
