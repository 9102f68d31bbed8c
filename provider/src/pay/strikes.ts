/**
 * Who sends broken vouchers is not listened to for a while: each new one would cost a recovery and a question to the chain. By address of
 * the network, since a broken signature names nobody.
 */

/** In the window, before the sender is banned: an account that is new on the chain is not seen at once. */
const STRIKES_MAX = 8;
const WINDOW_MS = 60_000;
const KEPT_MAX = 4_096;

export class Strikes {
  readonly #now: () => number;
  readonly #known = new Map<string, { count: number; readonly sinceMs: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  isBanned(address: string): boolean {
    const known = this.#known.get(address);
    return known !== undefined && known.count >= STRIKES_MAX && this.#now() - known.sinceMs < WINDOW_MS;
  }

  add(address: string): void {
    const known = this.#known.get(address);
    if (known !== undefined && this.#now() - known.sinceMs < WINDOW_MS) {
      known.count += 1;
      return;
    }
    this.#known.delete(address);
    this.#known.set(address, { count: 1, sinceMs: this.#now() });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KEPT_MAX) break;
      this.#known.delete(oldest);
    }
  }
}
