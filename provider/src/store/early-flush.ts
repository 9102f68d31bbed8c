/**
 * Lets the disk work while a body still comes in, so that the flush at its end finds little left to do. One flush at a time; the body
 * never waits for it.
 */
export class EarlyFlush {
  readonly #sync: () => Promise<void>;
  readonly #everyBytes: number;
  #bytes = 0;
  #running: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(sync: () => Promise<void>, everyBytes: number) {
    this.#sync = sync;
    this.#everyBytes = everyBytes;
  }

  /** To be called after every write. */
  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#everyBytes || this.#running !== undefined || this.#failure !== undefined) return;
    this.#bytes = 0;
    this.#running = this.#sync()
      .catch((cause) => {
        this.#failure = { cause };
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Waits for what runs. @throws what a flush threw: then nothing that was written may be trusted */
  async end(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.cause;
  }
}
