/** How often a provider connects for others: bounded for each of them and for all, so that nobody is flooded through it. */
import { PpioError } from "@ppio/core";

const WINDOW_MS = 600_000;
const PER_PROVIDER_MAX = 6;
const FOR_ALL_MAX = 60;
const AT_ONCE_MAX = 4;

interface Dial {
  readonly providerId: number;
  readonly nonce: string;
  readonly at: number;
}

export class DialbackLimits {
  readonly #now: () => number;
  #recent: readonly Dial[] = [];
  #running = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Runs `work` unless that is too often, or the request was made before. @throws REFUSED, CONFLICT */
  async run<T>(providerId: number, nonce: string, work: () => Promise<T>): Promise<T> {
    const at = this.#now();
    this.#recent = this.#recent.filter((dial) => at - dial.at < WINDOW_MS);
    if (this.#recent.some((dial) => dial.nonce === nonce)) {
      throw new PpioError("CONFLICT", "This request was made before; sign a new one.", { retry: "never" });
    }
    const own = this.#recent.filter((dial) => dial.providerId === providerId).length;
    if (own >= PER_PROVIDER_MAX || this.#recent.length >= FOR_ALL_MAX || this.#running >= AT_ONCE_MAX) {
      throw new PpioError("REFUSED", "This provider has connected often enough for now; ask another one or try again in ten minutes.");
    }
    this.#recent = [...this.#recent, { providerId, nonce, at }];
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
    }
  }
}
