/**
 * Reading an answer (docs/protocol/http.md, "Answer") so that nothing is returned before all of it holds: the head's cell roots against the
 * slot's root on the chain, then every cell's bytes against its root. And a drawn leaf's proof out of a read of its unit.
 */
import { PpioError } from "../errors.ts";
import type { AnswerReader } from "../peer/body.ts";
import { equalBytes, LEAF_BYTES, leafHashes, NODE_BYTES, zeroNode } from "../tree/nodes.ts";
import {
  cellHeight,
  cellLength,
  cellRoots,
  type LeafProof,
  type SlotShape,
  UNIT_BYTES,
  verifyCellPart,
  verifyCellRun,
} from "../tree/slot-tree.ts";
import { type AnswerHead, readAnswerHead, readCellSiblings, SIBLING_COUNT_BYTES } from "./answer.ts";

export interface SlotRange {
  readonly shape: SlotShape;
  /** Root of the slot on the chain. */
  readonly root: Uint8Array;
  /** Multiples of 128 inside the slot. */
  readonly offset: number;
  readonly length: number;
}

export interface VerifiedRange {
  readonly head: AnswerHead;
  readonly bytes: Uint8Array;
  /** Siblings that each touched cell came with; none of one that came whole. */
  readonly partSiblings: readonly (readonly Uint8Array[])[];
}

export type OnContradiction = (head: AnswerHead) => Promise<void>;

export interface VerifyOptions {
  /** Who answers, for messages: "Provider 3". */
  readonly who: string;
  /** Gets a head that contradicts the slot's root: when it is signed it is a lie that can be proven (`lieEvidence`). */
  readonly onContradiction?: OnContradiction;
  /** Looks at the head once its roots are known to be the slot's, before a cell is read. */
  readonly checkHead?: (head: AnswerHead) => Promise<void>;
}

interface Part {
  readonly row: number;
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** @throws CORRUPT when the answer does not hold, TRUNCATED, BAD_FORMAT */
export async function readVerifiedRange(answer: AnswerReader, range: SlotRange, options: VerifyOptions): Promise<VerifiedRange> {
  const { shape, root, offset, length } = range;
  const bytes = new Uint8Array(length);
  const parts = partsOf(range, bytes);
  const firstRow = Math.floor(offset / shape.cellBytes);
  const { head, roots } = await readVerifiedHead(answer, { shape, root, firstRow, rowCount: parts.length }, options.onContradiction);
  await options.checkHead?.(head);
  const partSiblings: Uint8Array[][] = [];
  for (const part of parts) {
    const siblings = isWhole(shape, part) ? await readWholeCell(answer, part.bytes, options.who) : await readPartCell(answer, part.bytes);
    partSiblings.push(siblings);
  }
  await answer.end();
  if (parts.every((part) => isWhole(shape, part))) {
    // The more at once, the faster.
    if (!equalBytes(cellRoots(shape, firstRow, bytes), roots)) {
      throw new PpioError("CORRUPT", `${options.who} sent bytes that do not match the slot; another provider is asked.`);
    }
  } else {
    for (const [at, { row, from, bytes: part }] of parts.entries()) {
      verifyCellPart(shape, row, roots.subarray(NODE_BYTES * at, NODE_BYTES * (at + 1)), from, part, partSiblings[at] ?? []);
    }
  }
  return { head, bytes, partSiblings };
}

/** Rows [firstRow, firstRow + rowCount) of a slot. */
export interface RowRun {
  readonly shape: SlotShape;
  /** Root of the slot on the chain. */
  readonly root: Uint8Array;
  readonly firstRow: number;
  readonly rowCount: number;
}

/** An answer's head, and its cells' roots, 32 bytes each, which belong to the slot. @throws CORRUPT, TRUNCATED, BAD_FORMAT */
export async function readVerifiedHead(
  answer: AnswerReader,
  { shape, root, firstRow, rowCount }: RowRun,
  onContradiction?: OnContradiction,
): Promise<{ readonly head: AnswerHead; readonly roots: Uint8Array }> {
  const head = await readAnswerHead(answer.readExactly, rowCount);
  const roots = new Uint8Array(NODE_BYTES * rowCount);
  head.cellRoots.forEach((cellRoot, at) => {
    roots.set(cellRoot, NODE_BYTES * at);
  });
  try {
    verifyCellRun(shape, root, firstRow, roots, head.siblings);
  } catch (error) {
    await onContradiction?.(head);
    throw error;
  }
  return { head, roots };
}

/** Fills `targets` with the answer's next cells, to be checked. @throws CORRUPT when they do not come whole */
export async function readWholeCells(answer: AnswerReader, targets: readonly Uint8Array[], who: string): Promise<void> {
  const counts = new Uint8Array(SIBLING_COUNT_BYTES * targets.length);
  const countOf = (at: number): Uint8Array => counts.subarray(SIBLING_COUNT_BYTES * at, SIBLING_COUNT_BYTES * (at + 1));
  await answer.readInto(targets.flatMap((target, at) => [countOf(at), target]));
  if (counts.some((byte) => byte !== 0)) {
    throw new PpioError("CORRUPT", `${who} sent siblings with a whole cell; another provider is asked.`);
  }
}

async function readWholeCell(answer: AnswerReader, target: Uint8Array, who: string): Promise<[]> {
  await readWholeCells(answer, [target], who);
  return [];
}

async function readPartCell(answer: AnswerReader, target: Uint8Array): Promise<Uint8Array[]> {
  const siblings = await readCellSiblings(answer.readExactly);
  await answer.readInto([target]);
  return siblings;
}

function isWhole(shape: SlotShape, { row, from, bytes }: Part): boolean {
  return from === 0 && bytes.length === cellLength(shape, row);
}

/** What the range takes of each cell it touches, and where that lies in `bytes`. */
function partsOf({ shape, offset, length }: SlotRange, bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < length; ) {
    const row = Math.floor((offset + at) / shape.cellBytes);
    const from = offset + at - row * shape.cellBytes;
    const take = Math.min(length - at, cellLength(shape, row) - from);
    if (take <= 0) throw new PpioError("BAD_FORMAT", "A read lies inside its slot.");
    parts.push({ row, from, bytes: bytes.subarray(at, at + take) });
    at += take;
  }
  return parts;
}

/** Where the unit starts in its slot that holds a leaf. */
export function unitOffsetOf(leafIndex: number): number {
  return Math.floor((leafIndex * LEAF_BYTES) / UNIT_BYTES) * UNIT_BYTES;
}

/** The leaf's proof against the slot's root, from a verified read of just its unit. */
export function leafProofOfUnit(shape: SlotShape, leafIndex: number, { head, bytes, partSiblings }: VerifiedRange): LeafProof {
  const side = leafIndex % 2;
  const hashes = leafHashes(bytes);
  const other = hashes.slice((1 - side) * NODE_BYTES, (2 - side) * NODE_BYTES);
  const [siblings = []] = partSiblings;
  // A cell that is one unit comes whole; up to its height there are zero nodes beside it.
  const above = Array.from({ length: Math.max(0, cellHeight(shape) - 1) }, (_, step) => siblings[step] ?? zeroNode(step + 1));
  return { leaf: bytes.slice(side * LEAF_BYTES, (side + 1) * LEAF_BYTES), siblings: [other, ...above, ...head.siblings] };
}
