/**
 * What is known of every slot, in fixed records of 184 bytes: a provider may hold a hundred thousand, and an object with its strings takes a
 * kilobyte. Records lie in blocks, so that growing copies nothing; the place of one that was removed is used again. What many slots share,
 * owners, payers and layouts, is kept once.
 */
import { randomBytes } from "node:crypto";
import { type DealHeader, decodeDealHeader, slotBytes } from "@ppio/core";
import { getBytes } from "ethers";
import { IdIndex, wordsOf } from "./id-index.ts";
import type { SlotMeta } from "./slot-record.ts";

const RECORDS_PER_BLOCK = 1_024;
const WORD_BYTES = 4;
const HASH_BYTES = 32;
/** Where each field lies in its record. */
const ID = 0;
const DEAL_ID = 32;
const DEAL_SALT = 64;
const ROOT = 96;
const CREATED_AT = 128;
const TOUCHED_AT = 136;
const RECEIVED_BYTES = 144;
const OFFERED_UNTIL = 152;
const OWNER = 160;
const PAYER = 164;
const HEADER = 168;
const LOOK_FROM = 172;
const SLOT_INDEX = 176;
const FLAGS = 177;
const RECORD_BYTES = 184;

const IN_USE = 1;
const SEALED = 2;
const DAMAGED = 4;
const ROOTS_LOST = 8;
const DEALT = 16;

/** Flags of a slot that change by themselves. */
export type SlotFlag = "damaged" | "rootsLost" | "dealt";
const FLAG_BITS: Readonly<Record<SlotFlag, number>> = { damaged: DAMAGED, rootsLost: ROOTS_LOST, dealt: DEALT };

/** Texts by number, for as long as a slot has them. */
class Texts {
  readonly #numbers = new Map<string, number>();
  readonly #texts: { text: string; users: number }[] = [];
  readonly #free: number[] = [];

  take(text: string): number {
    const number = this.#numbers.get(text) ?? this.#free.pop() ?? this.#texts.length;
    const known = this.#texts[number];
    this.#texts[number] = { text, users: (known?.users ?? 0) + 1 };
    this.#numbers.set(text, number);
    return number;
  }

  /** @returns whether nobody uses it any more */
  release(number: number): boolean {
    const known = this.#texts[number];
    if (known === undefined) return false;
    known.users -= 1;
    if (known.users > 0) return false;
    this.#numbers.delete(known.text);
    this.#texts[number] = { text: "", users: 0 };
    this.#free.push(number);
    return true;
  }

  find(text: string): number | undefined {
    return this.#numbers.get(text);
  }

  at(number: number): string {
    return this.#texts[number]?.text ?? "";
  }
}

export class SlotTable {
  readonly #blocks: DataView[] = [];
  readonly #index: IdIndex;
  readonly #texts = new Texts();
  readonly #headers = new Map<number, DealHeader>();
  readonly #free: number[] = [];
  readonly #counts: Record<SlotFlag, number> = { damaged: 0, rootsLost: 0, dealt: 0 };
  /** Places that were used so far. */
  #end = 0;
  #missingBytes = 0;

  constructor(seed = randomBytes(2 * WORD_BYTES)) {
    const wordAt = (place: number, at: number): number => this.#view(place).getUint32(this.#at(place, ID) + at * WORD_BYTES);
    this.#index = new IdIndex({ wordAt, seed: [seed.readUInt32LE(0), seed.readUInt32LE(WORD_BYTES)] });
  }

  get count(): number {
    return this.#index.count;
  }

  /** Bytes that were promised and have not arrived. */
  get missingBytes(): number {
    return this.#missingBytes;
  }

  countOf(flag: SlotFlag): number {
    return this.#counts[flag];
  }

  /** -1 when it is not held. */
  placeOf(uploadId: string): number {
    const words = wordsOf(uploadId);
    return words === undefined ? -1 : this.#index.placeOf(words);
  }

  /** @returns its place; the slot must be new, and its fields of the lengths that `parseMeta` lets through */
  add(meta: SlotMeta, receivedBytes: number, touchedAt: number): number {
    const place = this.#free.pop() ?? this.#end;
    if (place === this.#end) this.#end += 1;
    if (place >= this.#blocks.length * RECORDS_PER_BLOCK)
      this.#blocks.push(new DataView(new ArrayBuffer(RECORDS_PER_BLOCK * RECORD_BYTES)));
    this.#bytes(place, 0, RECORD_BYTES).fill(0);
    this.#bytes(place, ID, HASH_BYTES).set(Buffer.from(meta.uploadId, "hex"));
    this.#bytes(place, DEAL_ID, HASH_BYTES).set(getBytes(meta.dealId));
    this.#bytes(place, DEAL_SALT, HASH_BYTES).set(getBytes(meta.dealSalt));
    this.#setWord(place, OWNER, this.#texts.take(meta.owner));
    this.#setWord(place, PAYER, this.#texts.take(meta.payer));
    this.#setWord(place, HEADER, this.#texts.take(meta.header));
    this.#view(place).setUint8(this.#at(place, SLOT_INDEX), meta.slotIndex);
    this.#view(place).setUint8(this.#at(place, FLAGS), IN_USE);
    this.#setNumber(place, CREATED_AT, meta.createdAt);
    this.#setNumber(place, RECEIVED_BYTES, receivedBytes);
    this.touch(place, touchedAt);
    this.update(place, meta);
    this.#index.add(place);
    this.#missingBytes += slotBytes(this.header(place)) - receivedBytes;
    return place;
  }

  remove(place: number): void {
    for (const flag of ["damaged", "rootsLost", "dealt"] as const) this.setFlag(place, flag, false);
    this.#missingBytes -= slotBytes(this.header(place)) - this.receivedBytes(place);
    const words = wordsOf(this.uploadId(place));
    if (words !== undefined) this.#index.remove(words);
    for (const field of [OWNER, PAYER]) this.#texts.release(this.#word(place, field));
    const header = this.#word(place, HEADER);
    if (this.#texts.release(header)) this.#headers.delete(header);
    this.#view(place).setUint8(this.#at(place, FLAGS), 0);
    this.#free.push(place);
  }

  /** Places of all slots. */
  *places(): Generator<number> {
    for (let place = 0; place < this.#end; place += 1) if ((this.#flags(place) & IN_USE) !== 0) yield place;
  }

  uploadId(place: number): string {
    return this.#hex(place, ID);
  }

  firstByte(place: number): number {
    return this.#view(place).getUint8(this.#at(place, ID));
  }

  isSealed(place: number): boolean {
    return (this.#flags(place) & SEALED) !== 0;
  }

  meta(place: number): SlotMeta {
    const isSealed = this.isSealed(place);
    return {
      version: 1,
      uploadId: this.uploadId(place),
      dealId: `0x${this.#hex(place, DEAL_ID)}`,
      dealSalt: `0x${this.#hex(place, DEAL_SALT)}`,
      slotIndex: this.#view(place).getUint8(this.#at(place, SLOT_INDEX)),
      owner: this.#texts.at(this.#word(place, OWNER)),
      payer: this.#texts.at(this.#word(place, PAYER)),
      header: this.#texts.at(this.#word(place, HEADER)),
      state: isSealed ? "sealed" : "receiving",
      root: isSealed ? `0x${this.#hex(place, ROOT)}` : null,
      createdAt: this.#number(place, CREATED_AT),
      offeredUntil: this.#number(place, OFFERED_UNTIL),
    };
  }

  /** What changes of a record; the rest is the slot's for good. */
  update(place: number, { state, root, offeredUntil }: Pick<SlotMeta, "state" | "root" | "offeredUntil">): void {
    if (root !== null) this.#bytes(place, ROOT, HASH_BYTES).set(getBytes(root));
    this.#setNumber(place, OFFERED_UNTIL, offeredUntil);
    const others = this.#flags(place) & ~SEALED;
    this.#view(place).setUint8(this.#at(place, FLAGS), state === "sealed" ? others | SEALED : others);
  }

  header(place: number): DealHeader {
    const number = this.#word(place, HEADER);
    const known = this.#headers.get(number);
    if (known !== undefined) return known;
    const header = Object.freeze(decodeDealHeader(getBytes(this.#texts.at(number))));
    this.#headers.set(number, header);
    return header;
  }

  receivedBytes(place: number): number {
    return this.#number(place, RECEIVED_BYTES);
  }

  setReceivedBytes(place: number, bytes: number): void {
    this.#missingBytes += this.receivedBytes(place) - bytes;
    this.#setNumber(place, RECEIVED_BYTES, bytes);
  }

  touchedAt(place: number): number {
    return this.#number(place, TOUCHED_AT);
  }

  touch(place: number, at: number): void {
    this.#setNumber(place, TOUCHED_AT, at);
  }

  has(place: number, flag: SlotFlag): boolean {
    return (this.#flags(place) & FLAG_BITS[flag]) !== 0;
  }

  setFlag(place: number, flag: SlotFlag, isSet: boolean): void {
    if (this.has(place, flag) === isSet) return;
    this.#counts[flag] += isSet ? 1 : -1;
    this.#view(place).setUint8(this.#at(place, FLAGS), this.#flags(place) ^ FLAG_BITS[flag]);
  }

  /** Whose payer it is; made for walks over all places. */
  payerFilter(payer: string): (place: number) => boolean {
    const number = this.#texts.find(payer);
    return (place) => number !== undefined && this.#word(place, PAYER) === number;
  }

  /** Period from which housekeeping looks at the slot again. */
  lookFrom(place: number): number {
    return this.#word(place, LOOK_FROM);
  }

  postpone(place: number, period: number): void {
    this.#setWord(place, LOOK_FROM, period);
  }

  #view(place: number): DataView {
    const view = this.#blocks[Math.floor(place / RECORDS_PER_BLOCK)];
    if (view === undefined) throw new RangeError(`There is no place ${place} in the table.`);
    return view;
  }

  #at(place: number, field: number): number {
    return (place % RECORDS_PER_BLOCK) * RECORD_BYTES + field;
  }

  #bytes(place: number, field: number, length: number): Uint8Array {
    return new Uint8Array(this.#view(place).buffer, this.#at(place, field), length);
  }

  #hex(place: number, field: number): string {
    return Buffer.from(this.#view(place).buffer as ArrayBuffer, this.#at(place, field), HASH_BYTES).toString("hex");
  }

  #flags(place: number): number {
    return this.#view(place).getUint8(this.#at(place, FLAGS));
  }

  #word(place: number, field: number): number {
    return this.#view(place).getUint32(this.#at(place, field));
  }

  #setWord(place: number, field: number, value: number): void {
    this.#view(place).setUint32(this.#at(place, field), value);
  }

  #number(place: number, field: number): number {
    return this.#view(place).getFloat64(this.#at(place, field));
  }

  #setNumber(place: number, field: number, value: number): void {
    this.#view(place).setFloat64(this.#at(place, field), value);
  }
}
