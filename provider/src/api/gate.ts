/** Lets a bounded number of requests in at once, so that their buffers have a bound too; the others wait, the rest is sent away. */
import { PpioError } from "@ppio/core";

export class Gate {
  readonly #places: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(places: number, waitingMax: number) {
    this.#places = places;
    this.#waitingMax = waitingMax;
  }

  /** Runs `work` once there is a place. @throws REFUSED when too many wait already */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#places) this.#inside += 1;
    else await this.#wait();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place goes from hand to hand.
      if (next === undefined) this.#inside -= 1;
      else next();
    }
  }

  #wait(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) throw new PpioError("REFUSED", "This provider is busy; use another one or try later.");
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
