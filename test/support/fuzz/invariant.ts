/** An invariant of the core: its number, its text, and a check of one step. Numbers are those of the interfaces' lists. */
import type { CoreEvent, Source, Step } from "./state.ts";

export interface Invariant {
  readonly id: string;
  readonly text: string;
  check(step: Step): void;
}

export class InvariantViolation extends Error {
  constructor(id: string, text: string, detail: string) {
    super(`${id} (${text}): ${detail}`);
    this.name = "InvariantViolation";
  }
}

const json = (value: unknown): string => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v));

class Broken extends Error {}

/** Fails the invariant that is being checked. */
export function must(holds: boolean, what: string, values: Record<string, unknown> = {}): void {
  if (!holds) throw new Broken(`${what} ${json(values)}`);
}

export function same(actual: unknown, expected: unknown, what: string, values: Record<string, unknown> = {}): void {
  must(actual === expected, what, { actual, expected, ...values });
}

export function checkAll(invariants: readonly Invariant[], step: Step): void {
  for (const { id, text, check } of invariants) {
    try {
      check(step);
    } catch (error) {
      if (error instanceof Broken) throw new InvariantViolation(id, text, error.message);
      throw error;
    }
  }
}

export const eventsOf = (step: Step, from: Source, ...names: readonly string[]): CoreEvent[] =>
  step.events.filter((event) => event.from === from && names.includes(event.name));

export const sum = <T>(items: readonly T[], of: (item: T) => bigint): bigint => items.reduce((total, item) => total + of(item), 0n);
