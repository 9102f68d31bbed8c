/** Buffers of one size that are used again: fresh memory costs a page fault per 4 KiB. */
export class BufferPool {
  readonly #bytes: number;
  readonly #keptMax: number;
  readonly #kept: Uint8Array[] = [];

  constructor(bytes: number, keptMax: number) {
    this.#bytes = bytes;
    this.#keptMax = keptMax;
  }

  /** Lends a buffer, whatever it holds, for as long as `work` runs. */
  async lend<T>(work: (buffer: Uint8Array) => Promise<T>): Promise<T> {
    const buffer = this.#kept.pop() ?? new Uint8Array(this.#bytes);
    try {
      return await work(buffer);
    } finally {
      if (this.#kept.length < this.#keptMax) this.#kept.push(buffer);
    }
  }
}
