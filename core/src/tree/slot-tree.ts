/**
 * The tree of a slot: cells side by side, each a subtree. A slot of one cell is only as high as that cell needs; otherwise a short
 * last cell is filled up to full cell height with zero nodes, and so is the row of cell roots. Only cell roots are ever stored;
 * what lies below is recomputed from the data.
 */
import { PpioError } from "../errors.ts";
import {
  buildLevels,
  equalBytes,
  hashNodes,
  LEAF_BYTES,
  leafHashes,
  leavesRoot,
  NODE_BYTES,
  nodeAt,
  rootOf,
  treeDepth,
  wholeRoots,
  zeroNode,
} from "./nodes.ts";
import { buildRangeProof, rangeProofLength, rangeProofOf, rootFromRange } from "./range-proof.ts";

/** Reads are runs of these. */
export const UNIT_BYTES = 128;

export interface SlotShape {
  /** A power of two. */
  readonly cellBytes: number;
  readonly lastCellBytes: number;
  readonly rows: number;
}

export interface SlotCommitment {
  readonly root: Uint8Array;
  readonly leafCount: number;
}

export function slotBytes(shape: SlotShape): number {
  return (shape.rows - 1) * shape.cellBytes + shape.lastCellBytes;
}

export function leafCountOf(shape: SlotShape): number {
  return slotBytes(shape) / LEAF_BYTES;
}

/** Bytes of the cell in `row`. */
export function cellLength(shape: SlotShape, row: number): number {
  return row === shape.rows - 1 ? shape.lastCellBytes : shape.cellBytes;
}

/** Height of a cell's subtree. */
export function cellHeight(shape: SlotShape): number {
  return shape.rows === 1 ? treeDepth(shape.lastCellBytes / LEAF_BYTES) : Math.log2(shape.cellBytes / LEAF_BYTES);
}

/** Levels above the cell roots. */
export function upperHeight(shape: SlotShape): number {
  return treeDepth(shape.rows);
}

/** Root of one cell's subtree. */
export function cellRoot(shape: SlotShape, cell: Uint8Array): Uint8Array {
  return leavesRoot(cell, cellHeight(shape));
}

/**
 * Roots of neighbouring cells from `firstRow` on, side by side in `cells` as in the slot: the more at once, the faster.
 * @returns 32 bytes each
 */
export function cellRoots(shape: SlotShape, firstRow: number, cells: Uint8Array): Uint8Array {
  const { cellBytes, lastCellBytes, rows } = shape;
  const height = cellHeight(shape);
  const count = Math.ceil(cells.length / cellBytes);
  const last = firstRow + count === rows ? lastCellBytes : cellBytes;
  if (count === 0 || firstRow + count > rows || cells.length !== (count - 1) * cellBytes + last) {
    throw new PpioError("BAD_FORMAT", `${cells.length} bytes from cell ${firstRow} on is what the deal header does not allow.`);
  }
  const roots = new Uint8Array(count * NODE_BYTES);
  const whole = last === LEAF_BYTES * 2 ** height ? count : count - 1;
  wholeRoots(cells.subarray(0, whole * cellBytes), height, roots);
  if (whole < count) roots.set(leavesRoot(cells.subarray(whole * cellBytes), height), whole * NODE_BYTES);
  return roots;
}

/** Root of a slot from all its cell roots, 32 bytes each. */
export function slotRoot(shape: SlotShape, cellRoots: Uint8Array): Uint8Array {
  return upperLevels(shape, cellRoots).at(-1) ?? cellRoots;
}

/** Levels of a slot's tree from its cell roots, 32 bytes each, which come first, up to its root, which comes last. */
export function upperLevels(shape: SlotShape, cellRoots: Uint8Array): readonly Uint8Array[] {
  if (cellRoots.length !== shape.rows * NODE_BYTES) throw new PpioError("BAD_FORMAT", "A slot has one root for each of its cells.");
  return buildLevels(cellRoots, upperHeight(shape), cellHeight(shape));
}

/** Cell roots that are gathered before they are hashed: a call for two nodes costs as much as one for sixteen. A power of two. */
const BATCH_HEIGHT = 6;
const BATCH_ROWS = 2 ** BATCH_HEIGHT;

/** Builds a slot's root while its cells pass by; memory grows with the logarithm of the rows. */
export class SlotTreeBuilder {
  readonly #shape: SlotShape;
  readonly #height: number;
  /** Cell roots of the batch that is being filled. */
  readonly #batch = new Uint8Array(BATCH_ROWS * NODE_BYTES);
  /** Roots of complete subtrees of batches, largest first; the number of batches in binary says which sizes are there. */
  readonly #stack: Uint8Array[] = [];
  #count = 0;

  constructor(shape: SlotShape) {
    this.#shape = shape;
    this.#height = cellHeight(shape);
  }

  /**
   * Takes the next cells, one or more, side by side as in the slot: the more at once, the faster.
   * @returns their roots, 32 bytes each
   */
  push(cells: Uint8Array): Uint8Array {
    const roots = cellRoots(this.#shape, this.#count, cells);
    this.pushRoots(roots);
    return roots;
  }

  /** Takes the next cells by their roots, 32 bytes each, computed elsewhere. */
  pushRoots(roots: Uint8Array): void {
    if (roots.length % NODE_BYTES !== 0 || this.#count + roots.length / NODE_BYTES > this.#shape.rows) {
      throw new PpioError("BAD_FORMAT", "A slot has one root for each of its cells.");
    }
    for (let at = 0; at < roots.length; ) {
      const filled = (this.#count % BATCH_ROWS) * NODE_BYTES;
      const part = roots.subarray(at, at + this.#batch.length - filled);
      this.#batch.set(part, filled);
      this.#count += part.length / NODE_BYTES;
      at += part.length;
      if (this.#count % BATCH_ROWS === 0) this.#pushBatch();
    }
  }

  /** The commitment, once every cell was pushed. */
  finish(): SlotCommitment {
    if (this.#count !== this.#shape.rows) throw new PpioError("TRUNCATED", `Only ${this.#count} of ${this.#shape.rows} cells were given.`);
    return { root: this.#root(), leafCount: leafCountOf(this.#shape) };
  }

  #pushBatch(): void {
    let node = rootOf(this.#batch, BATCH_HEIGHT, this.#height);
    for (let carry = this.#count / BATCH_ROWS - 1; carry % 2 === 1; carry = Math.floor(carry / 2)) node = hashNodes(this.#pop(), node);
    this.#stack.push(node);
  }

  #root(): Uint8Array {
    const depth = upperHeight(this.#shape);
    const rest = this.#batch.slice(0, (this.#count % BATCH_ROWS) * NODE_BYTES);
    if (this.#count < BATCH_ROWS) return rootOf(rest, depth, this.#height);
    let node = rest.length > 0 ? rootOf(rest, BATCH_HEIGHT, this.#height) : undefined;
    let size = Math.floor(this.#count / BATCH_ROWS);
    for (let level = BATCH_HEIGHT; level < depth; level += 1, size = Math.floor(size / 2)) {
      const zero = zeroNode(this.#height + level);
      if (size % 2 === 1) node = hashNodes(this.#pop(), node ?? zero);
      else if (node !== undefined) node = hashNodes(node, zero);
    }
    return node ?? this.#pop();
  }

  #pop(): Uint8Array {
    const node = this.#stack.pop();
    if (node === undefined) throw new PpioError("INTERNAL", "The tree builder lost a subtree.");
    return node;
  }
}

/** Siblings that lead from the roots of cells [firstCell, firstCell + count) to the slot root. */
export function cellRunProof(shape: SlotShape, cellRoots: Uint8Array, firstCell: number, count: number): Uint8Array[] {
  return cellRunProofOf(shape, upperLevels(shape, cellRoots), firstCell, count);
}

/** The same from levels that are at hand, so that nothing is hashed. */
export function cellRunProofOf(shape: SlotShape, levels: readonly Uint8Array[], firstCell: number, count: number): Uint8Array[] {
  return rangeProofOf(levels, cellHeight(shape), { first: firstCell, count });
}

/** Siblings that lead from bytes [offset, offset + length) of a cell to the cell's root. Both are multiples of 128. */
export function cellPartProof(shape: SlotShape, cell: Uint8Array, offset: number, length: number): Uint8Array[] {
  checkUnits(offset, length);
  if (offset === 0 && length === cell.length) return [];
  return buildRangeProof(leafHashes(cell), cellHeight(shape), 0, { first: offset / LEAF_BYTES, count: length / LEAF_BYTES });
}

/** How many siblings `cellPartProof` gives for that part of the cell in `row`. */
export function cellPartProofLength(shape: SlotShape, row: number, offset: number, length: number): number {
  checkUnits(offset, length);
  if (offset === 0 && length === cellLength(shape, row)) return 0;
  return rangeProofLength(cellHeight(shape), { first: offset / LEAF_BYTES, count: length / LEAF_BYTES });
}

/** Checks a run of cell roots against the slot's root; throws `CORRUPT`. */
export function verifyCellRun(
  shape: SlotShape,
  root: Uint8Array,
  firstCell: number,
  roots: Uint8Array,
  siblings: readonly Uint8Array[],
): void {
  if (!equalBytes(rootFromRange(roots, upperHeight(shape), firstCell, siblings), root)) {
    throw new PpioError("CORRUPT", "A provider's cells do not belong to the slot on the chain; another provider is asked.");
  }
}

/** Checks bytes at `offset` of the cell in `row` against the cell's root; throws `CORRUPT`. A whole cell has no siblings. */
export function verifyCellPart(
  shape: SlotShape,
  row: number,
  root: Uint8Array,
  offset: number,
  bytes: Uint8Array,
  siblings: readonly Uint8Array[],
): void {
  checkUnits(offset, bytes.length);
  const whole = offset === 0 && bytes.length === cellLength(shape, row);
  const actual =
    whole && siblings.length === 0
      ? cellRoot(shape, bytes)
      : rootFromRange(leafHashes(bytes), cellHeight(shape), offset / LEAF_BYTES, siblings);
  if (!equalBytes(actual, root)) throw new PpioError("CORRUPT", "A provider's bytes do not match the slot; another provider is asked.");
}

function checkUnits(offset: number, length: number): void {
  if (offset % UNIT_BYTES !== 0 || length % UNIT_BYTES !== 0 || length === 0) {
    throw new PpioError("BAD_FORMAT", `Ranges start and end at multiples of ${UNIT_BYTES} bytes.`);
  }
}

export interface LeafProof {
  readonly leaf: Uint8Array;
  /** Bottom up; as many as the slot's tree is high. */
  readonly siblings: readonly Uint8Array[];
}

/** Answer to a challenge of one leaf, from its cell's bytes and all cell roots. */
export function buildLeafProof(shape: SlotShape, cellRoots: Uint8Array, cell: Uint8Array, leafIndex: number): LeafProof {
  const leavesPerCell = shape.cellBytes / LEAF_BYTES;
  const row = Math.floor(leafIndex / leavesPerCell);
  const leafInCell = leafIndex - row * leavesPerCell;
  const lower = path(buildLevels(leafHashes(cell), cellHeight(shape), 0), leafInCell, 0);
  const upper = path(buildLevels(cellRoots, upperHeight(shape), cellHeight(shape)), row, cellHeight(shape));
  return { leaf: cell.slice(leafInCell * LEAF_BYTES, (leafInCell + 1) * LEAF_BYTES), siblings: [...lower, ...upper] };
}

function path(levels: readonly Uint8Array[], index: number, baseLevel: number): Uint8Array[] {
  return levels.slice(0, -1).map((level, step) => nodeAt(level, Math.floor(index / 2 ** step) ^ 1, baseLevel + step));
}

/** Whether a leaf proof holds against a commitment; false for any malformed one. */
export function verifyLeafProof(commitment: SlotCommitment, leafIndex: number, proof: LeafProof): boolean {
  const { root, leafCount } = commitment;
  if (leafIndex < 0 || leafIndex >= leafCount || proof.leaf.length !== LEAF_BYTES) return false;
  if (proof.siblings.length !== treeDepth(leafCount) || proof.siblings.some((sibling) => sibling.length !== NODE_BYTES)) return false;
  let node: Uint8Array = leafHashes(proof.leaf);
  proof.siblings.forEach((sibling, step) => {
    node = Math.floor(leafIndex / 2 ** step) % 2 === 1 ? hashNodes(sibling, node) : hashNodes(node, sibling);
  });
  return equalBytes(node, root);
}
