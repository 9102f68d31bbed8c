/** Cell roots kept in memory, the least recently used dropped beyond a bound in bytes. */
export class RootsCache {
  readonly #bytesMax: number;
  readonly #roots = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(id: string): Uint8Array | undefined {
    const known = this.#roots.get(id);
    if (known === undefined) return undefined;
    this.#roots.delete(id);
    this.#roots.set(id, known);
    return known;
  }

  put(id: string, roots: Uint8Array): void {
    this.delete(id);
    this.#roots.set(id, roots);
    this.#bytes += roots.length;
    for (const oldest of this.#roots.keys()) {
      if (this.#bytes <= this.#bytesMax || oldest === id) break;
      this.delete(oldest);
    }
  }

  delete(id: string): void {
    this.#bytes -= this.#roots.get(id)?.length ?? 0;
    this.#roots.delete(id);
  }
}
