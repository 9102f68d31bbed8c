/**
 * Proof that a run of neighbouring nodes lies under a root (docs/protocol/tree.md, "Range proofs"). Siblings go bottom up; on each
 * level first the left one, when the run starts at an odd index, then the right one, when it ends at an even index.
 */

import { hashPairs } from "#sha";
import { PpioError } from "../errors.ts";
import { buildLevels, NODE_BYTES, nodeAt } from "./nodes.ts";

export interface Range {
  readonly first: number;
  readonly count: number;
}

function checkRange(range: Range, height: number): void {
  const { first, count } = range;
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || first < 0 || count < 1 || first + count > 2 ** height) {
    throw new PpioError("BAD_FORMAT", `Nodes ${first} to ${first + count} lie outside a tree of height ${height}.`);
  }
}

/** Siblings for the run `range` of `nodes` (all nodes of level `baseLevel`) up to the root of a tree of `height`. */
export function buildRangeProof(nodes: Uint8Array, height: number, baseLevel: number, range: Range): Uint8Array[] {
  checkRange(range, height);
  return rangeProofOf(buildLevels(nodes, height, baseLevel), baseLevel, range);
}

/** The same from the levels of `buildLevels`, the lowest of which is level `baseLevel`. */
export function rangeProofOf(levels: readonly Uint8Array[], baseLevel: number, range: Range): Uint8Array[] {
  checkRange(range, levels.length - 1);
  const siblings: Uint8Array[] = [];
  let first = range.first;
  let last = range.first + range.count - 1;
  for (const [step, level] of levels.slice(0, -1).entries()) {
    if (first % 2 === 1) siblings.push(nodeAt(level, first - 1, baseLevel + step));
    if (last % 2 === 0) siblings.push(nodeAt(level, last + 1, baseLevel + step));
    first = Math.floor(first / 2);
    last = Math.floor(last / 2);
  }
  return siblings;
}

/** How many siblings the proof of `range` in a tree of `height` has. */
export function rangeProofLength(height: number, range: Range): number {
  checkRange(range, height);
  let count = 0;
  let first = range.first;
  let last = range.first + range.count - 1;
  for (let step = 0; step < height; step += 1) {
    count += (first % 2) + (last % 2 === 0 ? 1 : 0);
    first = Math.floor(first / 2);
    last = Math.floor(last / 2);
  }
  return count;
}

/**
 * Root that the run `nodes`, starting at `first`, has with these siblings in a tree of `height`.
 * @throws CORRUPT when there are too few or too many siblings, or one is not 32 bytes long
 */
export function rootFromRange(nodes: Uint8Array, height: number, first: number, siblings: readonly Uint8Array[]): Uint8Array {
  checkRange({ first, count: nodes.length / NODE_BYTES }, height);
  let used = 0;
  const next = (): Uint8Array => {
    const sibling = siblings[used];
    used += 1;
    if (sibling?.length !== NODE_BYTES) throw new PpioError("CORRUPT", "The proof has too few siblings; another provider is asked.");
    return sibling;
  };
  let run = nodes;
  let start = first;
  for (let step = 0; step < height; step += 1) {
    const end = start + run.length / NODE_BYTES - 1;
    const left = start % 2 === 1 ? next() : undefined;
    const right = end % 2 === 0 ? next() : undefined;
    run = parentsOfRun(left, run, right);
    start = Math.floor(start / 2);
  }
  if (used !== siblings.length) throw new PpioError("CORRUPT", "The proof has too many siblings; another provider is asked.");
  return run;
}

function parentsOfRun(left: Uint8Array | undefined, run: Uint8Array, right: Uint8Array | undefined): Uint8Array {
  const offset = left === undefined ? 0 : NODE_BYTES;
  let input = run;
  if (left !== undefined || right !== undefined) {
    input = new Uint8Array(offset + run.length + (right === undefined ? 0 : NODE_BYTES));
    if (left !== undefined) input.set(left);
    input.set(run, offset);
    if (right !== undefined) input.set(right, offset + run.length);
  }
  const up = new Uint8Array(input.length / 2);
  hashPairs(input, up);
  return up;
}
