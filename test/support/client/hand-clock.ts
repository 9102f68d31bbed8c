/** A clock that a test moves: whoever sleeps wakes in order, and what follows from it is done before time goes on. */
import { setImmediate as settled } from "node:timers/promises";
import { PpioError } from "@ppio/core";
import type { Clock } from "../../../client/dist/deps.js";

interface Sleeper {
  readonly untilMs: number;
  wake(): void;
}

function reasonOf({ reason }: AbortSignal): PpioError {
  return reason instanceof PpioError ? reason : new PpioError("CANCELLED", "as the system's clock");
}

export class HandClock implements Clock {
  #nowMs = 1_800_000_000_000;
  readonly #sleepers = new Set<Sleeper>();

  nowMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(reasonOf(signal));
      const sleeper = { untilMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", () => {
        if (this.#sleepers.delete(sleeper)) reject(reasonOf(signal));
      });
    });
  }

  get sleeperCount(): number {
    return this.#sleepers.size;
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (;;) {
      const [next] = [...this.#sleepers].sort((a, b) => a.untilMs - b.untilMs);
      if (next === undefined || next.untilMs > endMs) break;
      this.#sleepers.delete(next);
      this.#nowMs = next.untilMs;
      next.wake();
      await settled();
    }
    this.#nowMs = endMs;
  }

  /** What `work` comes to, and in how many milliseconds of this clock. */
  async timed<T>(work: Promise<T>, msMax = 60_000): Promise<{ readonly result: T; readonly ms: number }> {
    const startedMs = this.#nowMs;
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    over.catch(() => {});
    while (!isOver && this.#nowMs < startedMs + msMax) await this.pass(1);
    return { result: await over, ms: this.#nowMs - startedMs };
  }
}
