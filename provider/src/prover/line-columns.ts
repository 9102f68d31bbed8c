/**
 * Intervals of a line, in order, in columns: 74 bytes each instead of several hundred, since a provider may hold a hundred thousand. What
 * was asked of the chain about a slot is kept beside it.
 */
import { getBytes, hexlify } from "ethers";

const ID_BYTES = 32;
const FIRST_CAPACITY = 64;

export interface Interval {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly startGwei: bigint;
  readonly endGwei: bigint;
}

/** Periods in which a slot is the provider's, [from, until), and the slot's size. */
export interface Tenure {
  readonly from: number;
  readonly until: number;
  readonly leafCount: number;
}

export class LineColumns {
  #count = 0;
  #ids = new Uint8Array(FIRST_CAPACITY * ID_BYTES);
  /** The first bytes of the ids: a column that the engine searches at the speed of memory. */
  #prefixes = new Uint32Array(FIRST_CAPACITY);
  #slots = new Uint8Array(FIRST_CAPACITY);
  /** Gwei; lines are shorter than 2^48 (P7). */
  #starts = new Float64Array(FIRST_CAPACITY);
  #lengths = new Float64Array(FIRST_CAPACITY);
  #leafCounts = new Float64Array(FIRST_CAPACITY);
  #froms = new Uint32Array(FIRST_CAPACITY);
  /** 0 while it was not asked for. */
  #untils = new Uint32Array(FIRST_CAPACITY);
  #looks = new Uint32Array(FIRST_CAPACITY);

  get count(): number {
    return this.#count;
  }

  /** @returns its place */
  push(interval: Interval): number {
    if (this.#count === this.#slots.length) this.#grow();
    const at = this.#count;
    this.#count += 1;
    this.#ids.set(getBytes(interval.dealId), at * ID_BYTES);
    this.#prefixes[at] = prefixOf(interval.dealId);
    this.#slots[at] = interval.slotIndex;
    this.#starts[at] = Number(interval.startGwei);
    this.#lengths[at] = Number(interval.endGwei - interval.startGwei);
    this.forget(at);
    return at;
  }

  #grow(): void {
    const capacity = this.#slots.length * 2;
    const copied = <T extends Uint8Array | Uint32Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#ids = copied(new Uint8Array(capacity * ID_BYTES), this.#ids);
    this.#prefixes = copied(new Uint32Array(capacity), this.#prefixes);
    this.#slots = copied(new Uint8Array(capacity), this.#slots);
    this.#starts = copied(new Float64Array(capacity), this.#starts);
    this.#lengths = copied(new Float64Array(capacity), this.#lengths);
    this.#leafCounts = copied(new Float64Array(capacity), this.#leafCounts);
    this.#froms = copied(new Uint32Array(capacity), this.#froms);
    this.#untils = copied(new Uint32Array(capacity), this.#untils);
    this.#looks = copied(new Uint32Array(capacity), this.#looks);
  }

  at(place: number): Interval {
    const start = this.#starts[place] ?? 0;
    return {
      dealId: hexlify(this.#ids.subarray(place * ID_BYTES, (place + 1) * ID_BYTES)),
      slotIndex: this.#slots[place] ?? 0,
      startGwei: BigInt(start),
      endGwei: BigInt(start + (this.#lengths[place] ?? 0)),
    };
  }

  move(place: number, startGwei: bigint): void {
    this.#starts[place] = Number(startGwei);
  }

  /** The order of the others stays. */
  remove(place: number): void {
    const { length } = this.#slots;
    this.#ids.copyWithin(place * ID_BYTES, (place + 1) * ID_BYTES, this.#count * ID_BYTES);
    const words = [this.#prefixes, this.#froms, this.#untils, this.#looks];
    for (const column of [this.#slots, this.#starts, this.#lengths, this.#leafCounts, ...words]) {
      column.copyWithin(place, place + 1, Math.min(this.#count, length));
    }
    this.#count -= 1;
  }

  /** Places of a deal's slots. */
  placesOf(dealId: string): number[] {
    const id = getBytes(dealId);
    const prefix = prefixOf(dealId);
    const places: number[] = [];
    for (let place = this.#find(prefix, 0); place >= 0; place = this.#find(prefix, place + 1)) {
      const from = place * ID_BYTES;
      if (id.every((byte, at) => this.#ids[from + at] === byte)) places.push(place);
    }
    return places;
  }

  #find(prefix: number, from: number): number {
    const place = this.#prefixes.indexOf(prefix, from);
    return place < this.#count ? place : -1;
  }

  /** Place of a slot; -1 when it is not on the line. */
  placeOf(dealId: string, slotIndex: number): number {
    return this.placesOf(dealId).find((place) => this.#slots[place] === slotIndex) ?? -1;
  }

  /** Place of the interval that holds a point; -1 for none. */
  placeAt(point: bigint): number {
    const wanted = Number(point);
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const start = this.#starts[middle] ?? 0;
      if (wanted < start) high = middle - 1;
      else if (wanted >= start + (this.#lengths[middle] ?? 0)) low = middle + 1;
      else return middle;
    }
    return -1;
  }

  tenure(place: number): Tenure | undefined {
    const until = this.#untils[place] ?? 0;
    if (until === 0) return undefined;
    return { from: this.#froms[place] ?? 0, until, leafCount: this.#leafCounts[place] ?? 0 };
  }

  keep(place: number, tenure: Tenure): void {
    this.#froms[place] = tenure.from;
    this.#untils[place] = tenure.until;
    this.#leafCounts[place] = tenure.leafCount;
  }

  /** What was asked about a slot may be different now. */
  forget(place: number): void {
    this.#untils[place] = 0;
    this.#looks[place] = 0;
  }

  /** Period from which housekeeping looks at the slot again. */
  lookFrom(place: number): number {
    return this.#looks[place] ?? 0;
  }

  postpone(place: number, period: number): void {
    this.#looks[place] = period;
  }
}

function prefixOf(dealId: string): number {
  return Number.parseInt(dealId.slice(2, 10), 16);
}
