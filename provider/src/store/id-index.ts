/**
 * Finds the place of a 32-byte id: a hash index with open addressing in one typed array, about ten bytes per id where a Map of strings takes
 * two hundred. The ids lie with whoever has the places. Ids may be chosen by others, so where one goes depends on a secret seed.
 */
const ID_WORDS = 8;

const FIRST_BUCKETS = 256;
/** At most so much of the buckets is taken. */
const FULL_SHARE = 0.6;
const ID = /^[0-9a-f]{64}$/;
const DIGITS_PER_WORD = 8;

export type IdWords = readonly number[];

/** An id's 32-bit words; undefined for a text that is none. */
export function wordsOf(id: string): IdWords | undefined {
  if (!ID.test(id)) return undefined;
  return Array.from({ length: ID_WORDS }, (_, at) => Number.parseInt(id.slice(at * DIGITS_PER_WORD, (at + 1) * DIGITS_PER_WORD), 16));
}

export interface IdIndexOptions {
  /** Word `at` of the id that lies at a place. */
  readonly wordAt: (place: number, at: number) => number;
  /** Two random 32-bit numbers. */
  readonly seed: readonly [number, number];
}

export class IdIndex {
  readonly #options: IdIndexOptions;
  /** Place + 1; 0 for none. The length is a power of two. */
  #buckets = new Uint32Array(FIRST_BUCKETS);
  #count = 0;

  constructor(options: IdIndexOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** -1 for none. */
  placeOf(id: IdWords): number {
    const bucket = this.#bucketOf(id);
    return bucket < 0 ? -1 : (this.#buckets[bucket] ?? 0) - 1;
  }

  /** The id lies at the place already, and has no other. */
  add(place: number): void {
    if (this.#count + 1 > this.#buckets.length * FULL_SHARE) this.#grow();
    this.#insert(place);
    this.#count += 1;
  }

  remove(id: IdWords): void {
    let hole = this.#bucketOf(id);
    if (hole < 0) return;
    this.#count -= 1;
    const mask = this.#buckets.length - 1;
    // What stands behind moves up, unless it would then stand before where its search begins.
    for (let at = (hole + 1) & mask; this.#buckets[at] !== 0; at = (at + 1) & mask) {
      const home = this.#homeOf((this.#buckets[at] ?? 0) - 1);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#buckets[hole] = this.#buckets[at] ?? 0;
      hole = at;
    }
    this.#buckets[hole] = 0;
  }

  #bucketOf(id: IdWords): number {
    const mask = this.#buckets.length - 1;
    for (let at = this.#hash(id[0] ?? 0, id[1] ?? 0); ; at = (at + 1) & mask) {
      const place = (this.#buckets[at] ?? 0) - 1;
      if (place < 0) return -1;
      if (id.every((word, index) => this.#options.wordAt(place, index) === word)) return at;
    }
  }

  #insert(place: number): void {
    const mask = this.#buckets.length - 1;
    let at = this.#homeOf(place);
    while (this.#buckets[at] !== 0) at = (at + 1) & mask;
    this.#buckets[at] = place + 1;
  }

  #homeOf(place: number): number {
    return this.#hash(this.#options.wordAt(place, 0), this.#options.wordAt(place, 1));
  }

  /** Ids are hashes: two of their words tell enough of them apart. */
  #hash(first: number, second: number): number {
    const [a, b] = this.#options.seed;
    let mixed = Math.imul(first ^ a, 0x9e3779b1) ^ Math.imul(second ^ b, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 15) ^ a, 0xc2b2ae35);
    return (mixed ^ (mixed >>> 13)) & (this.#buckets.length - 1);
  }

  #grow(): void {
    const before = this.#buckets;
    this.#buckets = new Uint32Array(before.length * 2);
    for (const taken of before) if (taken !== 0) this.#insert(taken - 1);
  }
}
