/**
 * Lets the disk work while an upload still comes in, so that the flush at its end finds little left to do. One flush at a time; nobody
 * waits for it but the end.
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

  /** To be called after every write; the last one is flushed at once. */
  wrote(bytes: number, isLast: boolean): void {
    this.#bytes += bytes;
    if ((this.#bytes < this.#everyBytes && !isLast) || this.#running !== undefined || this.#failure !== undefined) return;
    this.#bytes = 0;
    this.#running = this.#sync()
      .catch((cause) => {
        this.#failure = { cause };
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** @throws what a flush threw: then nothing that was written may be trusted */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
  }

  /** Waits for what runs. @throws as `check` */
  async end(): Promise<void> {
    await this.#running;
    this.check();
  }
}
