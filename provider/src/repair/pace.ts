/** Keeps traffic at a rate: first come, first served, so that whoever asks in small steps gets an equal share. */
export interface PaceOptions {
  readonly bytesPerSecond: number;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
  /** Ends early when the signal is aborted. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

export class Pace {
  readonly #options: PaceOptions;
  #freeAt = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** How long the next one waits. */
  get backlogMs(): number {
    return Math.max(0, this.#freeAt - this.#options.now());
  }

  /** Resolves when it is this one's turn; its bytes hold up those who come after. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const { bytesPerSecond, now, wait } = this.#options;
    const backlogMs = this.backlogMs;
    this.#freeAt = now() + backlogMs + (bytes * 1000) / bytesPerSecond;
    if (backlogMs > 0) await wait(backlogMs, signal);
  }
}
