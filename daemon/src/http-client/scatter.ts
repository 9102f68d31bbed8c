/** Where bytes that come are to lie: pieces of memory, one after the other. */
export class Scatter {
  readonly #pieces: readonly Uint8Array[];
  readonly length: number;
  /** The piece that is being filled, and how far it is. */
  #piece = 0;
  #at = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** Puts all of `bytes` where the ones before end; no more than there is room for. */
  put(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const piece = this.#pieces[this.#piece];
      if (piece === undefined) throw new RangeError("more bytes than there is room for");
      const count = Math.min(bytes.length - from, piece.length - this.#at);
      piece.set(from === 0 && count === bytes.length ? bytes : bytes.subarray(from, from + count), this.#at);
      from += count;
      this.#at += count;
      if (this.#at < piece.length) continue;
      this.#piece += 1;
      this.#at = 0;
    }
  }
}
