/** Things kept in memory by a slot's id, the least recently used dropped beyond a bound in bytes; the newest always stays. */
export class BytesCache<T extends { readonly byteLength: number }> {
  readonly #bytesMax: number;
  readonly #kept = new Map<string, T>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(id: string): T | undefined {
    const known = this.#kept.get(id);
    if (known === undefined) return undefined;
    this.#kept.delete(id);
    this.#kept.set(id, known);
    return known;
  }

  put(id: string, value: T): void {
    this.delete(id);
    this.#kept.set(id, value);
    this.#bytes += value.byteLength;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax || oldest === id) break;
      this.delete(oldest);
    }
  }

  delete(id: string): void {
    this.#bytes -= this.#kept.get(id)?.byteLength ?? 0;
    this.#kept.delete(id);
  }
}
