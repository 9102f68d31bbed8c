/** Answers that are kept for a while, so that the next read does not ask again: a bounded number, the oldest dropped. */
import type { Clock } from "./deps.ts";

export interface Memory<T> {
  /** The answer for `key`, made by `make` unless it is known. Failures are not kept, and nobody waits for another one's `make`. */
  get(key: string, make: () => Promise<T>): Promise<T>;
  forget(key: string): void;
}

export interface MemoryOptions {
  readonly clock: Clock;
  readonly entriesMax: number;
  /** For ever without it. */
  readonly seconds?: number;
}

export function createMemory<T>({ clock, entriesMax, seconds = Number.POSITIVE_INFINITY }: MemoryOptions): Memory<T> {
  const entries = new Map<string, { readonly answer: T; readonly untilMs: number }>();
  return {
    async get(key, make) {
      const known = entries.get(key);
      if (known !== undefined && clock.nowMs() < known.untilMs) return known.answer;
      const answer = await make();
      entries.delete(key);
      const oldest = entries.keys().next();
      if (entries.size >= entriesMax && !oldest.done) entries.delete(oldest.value);
      entries.set(key, { answer, untilMs: clock.nowMs() + seconds * 1_000 });
      return answer;
    },
    forget: (key) => void entries.delete(key),
  };
}
