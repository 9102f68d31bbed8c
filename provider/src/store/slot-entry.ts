/**
 * What the store knows of a slot while somebody works with it. What outlives the work is written through to the slot's record in the table;
 * once the slot is forgotten, whoever still has the entry sees it as it was.
 */
import { type DealHeader, PpioError } from "@ppio/core";
import type { EarlyFlush } from "./early-flush.ts";
import type { HeldTree } from "./held-tree.ts";
import type { SlotMeta } from "./slot-record.ts";
import type { SlotTable } from "./slot-table.ts";

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

/** A slot that nobody works with, as its record has it. */
export function restingSlot(table: SlotTable, place: number): StoredSlot {
  return {
    ...{ meta: table.meta(place), header: table.header(place), receivedBytes: table.receivedBytes(place) },
    ...{ touchedAt: table.touchedAt(place), isDamaged: table.has(place, "damaged"), isBusy: false },
  };
}

export class Entry implements StoredSlot {
  readonly header: DealHeader;
  readonly #table: SlotTable;
  /** -1 once the slot is forgotten. */
  #place: number;
  #meta: SlotMeta;
  #receivedBytes: number;
  #touchedAt: number;
  #isDamaged: boolean;
  #areRootsLost: boolean;
  isBusy = false;
  /** Writing the sealed record failed half way: the disk may hold it. */
  isSealInDoubt = false;
  /** Somebody asked to forget it: what is missing of it is no damage. */
  isLeaving = false;
  loading: Promise<HeldTree> | undefined = undefined;
  /** While bytes come in. */
  flush: EarlyFlush | undefined = undefined;

  constructor(table: SlotTable, place: number) {
    this.#table = table;
    this.#place = place;
    this.header = table.header(place);
    this.#meta = table.meta(place);
    this.#receivedBytes = table.receivedBytes(place);
    this.#touchedAt = table.touchedAt(place);
    this.#isDamaged = table.has(place, "damaged");
    this.#areRootsLost = table.has(place, "rootsLost");
  }

  get meta(): SlotMeta {
    return this.#meta;
  }

  set meta(meta: SlotMeta) {
    this.#meta = meta;
    if (this.#place >= 0) this.#table.update(this.#place, meta);
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  set receivedBytes(bytes: number) {
    this.#receivedBytes = bytes;
    if (this.#place >= 0) this.#table.setReceivedBytes(this.#place, bytes);
  }

  get touchedAt(): number {
    return this.#touchedAt;
  }

  set touchedAt(at: number) {
    this.#touchedAt = at;
    if (this.#place >= 0) this.#table.touch(this.#place, at);
  }

  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  set isDamaged(isDamaged: boolean) {
    this.#isDamaged = isDamaged;
    if (this.#place >= 0) this.#table.setFlag(this.#place, "damaged", isDamaged);
  }

  /** Neither `roots` nor the data give the root; known until the next start, so that it is found out once only. */
  get areRootsLost(): boolean {
    return this.#areRootsLost;
  }

  set areRootsLost(areLost: boolean) {
    this.#areRootsLost = areLost;
    if (this.#place >= 0) this.#table.setFlag(this.#place, "rootsLost", areLost);
  }

  /** Takes its record out of the table. */
  forget(): void {
    if (this.#place >= 0) this.#table.remove(this.#place);
    this.#place = -1;
  }
}

export function notHeld(): PpioError {
  return new PpioError("NOT_FOUND", "This provider does not hold that slot.");
}
