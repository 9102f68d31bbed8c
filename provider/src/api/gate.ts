/** Keeps what requests hold in memory within a budget: who does not fit waits in line, and when the line is full is sent away. */
import { PpioError } from "@ppio/core";

interface Waiting {
  readonly cost: number;
  readonly enter: () => void;
}

export class Gate {
  readonly #budget: number;
  readonly #waitingMax: number;
  readonly #line: Waiting[] = [];
  readonly #told = new Set<() => void>();
  #free: number;

  constructor(budget: number, waitingMax: number) {
    this.#budget = budget;
    this.#free = budget;
    this.#waitingMax = waitingMax;
  }

  /** Share of the budget that nobody holds, from 0 to 1. */
  get freeShare(): number {
    return this.#free / this.#budget;
  }

  /** Somebody waits for a place. */
  get isWaitedFor(): boolean {
    return this.#line.length > 0;
  }

  /** Tells when somebody begins to wait. @returns takes that back */
  onWaitedFor(tell: () => void): () => void {
    this.#told.add(tell);
    return () => void this.#told.delete(tell);
  }

  /** Runs `work` once its cost fits; one above the whole budget runs alone. @throws REFUSED when too many wait already */
  async run<T>(cost: number, work: () => Promise<T>): Promise<T> {
    const share = Math.min(cost, this.#budget);
    if (this.#line.length === 0 && share <= this.#free) this.#free -= share;
    else await this.#wait(share);
    try {
      return await work();
    } finally {
      this.#free += share;
      this.#admit();
    }
  }

  #wait(cost: number): Promise<void> {
    if (this.#line.length >= this.#waitingMax) throw new PpioError("REFUSED", "This provider is busy; use another one or try later.");
    return new Promise((enter) => {
      this.#line.push({ cost, enter });
      for (const tell of this.#told) tell();
    });
  }

  #admit(): void {
    for (let next = this.#line[0]; next !== undefined && next.cost <= this.#free; next = this.#line[0]) {
      this.#line.shift();
      this.#free -= next.cost;
      next.enter();
    }
  }
}
