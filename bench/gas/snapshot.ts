/** The committed figures: what a change of the contracts costs shows up as a difference of bench/gas/snapshot.json. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Figure } from "./questions.ts";

const FILE = new URL("./snapshot.json", import.meta.url);
/** Zero bytes of hashes in calldata are cheaper than others, and every run has its own hashes. */
export const TOLERANCE = 0.005;

export type Snapshot = Readonly<Record<string, number>>;

export function readSnapshot(): Snapshot {
  return JSON.parse(readFileSync(FILE, "utf8")) as Snapshot;
}

export function writeSnapshot(figures: readonly Figure[]): void {
  writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(figures.map(({ name, gas }) => [name, gas])), null, 2)}\n`);
}

/** One line for each figure that is not what the snapshot says; empty when all are. */
export function differences(figures: readonly Figure[], snapshot: Snapshot): string[] {
  const found: string[] = [];
  for (const { name, gas } of figures) {
    const kept = snapshot[name];
    if (kept === undefined) found.push(`${name}: not in the snapshot, measured ${gas}`);
    else if (Math.abs(gas - kept) > kept * TOLERANCE) found.push(`${name}: ${gas}, the snapshot says ${kept}`);
  }
  const names = new Set(figures.map(({ name }) => name));
  for (const name of Object.keys(snapshot)) if (!names.has(name)) found.push(`${name}: in the snapshot, not measured`);
  return found;
}

/** One line for each figure above its target. */
export function aboveTarget(figures: readonly Figure[]): string[] {
  return figures.flatMap(({ name, gas, target }) => (target !== undefined && gas > target ? [`${name}: ${gas} > ${target}`] : []));
}
