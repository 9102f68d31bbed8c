/**
 * The binary SHA-256 tree (docs/protocol/tree.md): level 0 is the hash of a 64-byte leaf, a node the hash of its two children, and
 * zero subtrees fill up to a power of two. Levels are held as bytes, 32 per node.
 */
import { hashPairs } from "#sha";
import { PpioError } from "../errors.ts";

export const LEAF_BYTES = 64;
export const NODE_BYTES = 32;
/** 2^48 leaves are 16 PiB: more than any slot. */
export const TREE_HEIGHT_MAX = 48;

const ZERO_NODES: readonly Uint8Array[] = buildZeroNodes();

function buildZeroNodes(): Uint8Array[] {
  const nodes: Uint8Array[] = [];
  let pair = new Uint8Array(LEAF_BYTES);
  for (let level = 0; level <= TREE_HEIGHT_MAX; level += 1) {
    const node = new Uint8Array(NODE_BYTES);
    hashPairs(pair, node);
    nodes.push(node);
    pair = new Uint8Array(LEAF_BYTES);
    pair.set(node);
    pair.set(node, NODE_BYTES);
  }
  return nodes;
}

/** Root of a tree of height `level` over zero leaves. */
export function zeroNode(level: number): Uint8Array {
  const node = ZERO_NODES[level];
  if (node === undefined) throw new PpioError("BAD_FORMAT", `A tree is at most ${TREE_HEIGHT_MAX} levels high.`);
  return node;
}

/** Height of the tree over `leafCount` leaves: ceil(log2(leafCount)). */
export function treeDepth(leafCount: number): number {
  if (!Number.isSafeInteger(leafCount) || leafCount < 1) throw new PpioError("BAD_FORMAT", "A tree has at least one leaf.");
  let depth = 0;
  while (2 ** depth < leafCount) depth += 1;
  return depth;
}

/** Level-0 nodes of `bytes`, whose length is a multiple of 64. */
export function leafHashes(bytes: Uint8Array): Uint8Array {
  if (bytes.length % LEAF_BYTES !== 0) throw new PpioError("BAD_FORMAT", "Cells are whole leaves of 64 bytes.");
  const nodes = new Uint8Array(bytes.length / 2);
  hashPairs(bytes, nodes);
  return nodes;
}

/** Two levels at a time, kept: hashing GiBs must not leave GiBs of garbage. What uses them runs without a pause. */
let scratch: readonly [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];

/** Neighbouring subtrees are hashed together up to here, so that a level is one call, and what it reads is still in the cache. */
const RUN_BYTES = 131_072;

/** Per height, the levels of a tree without gaps, in two buffers in turn: to make a view costs as much as to hash a small level. */
const wholeLevels: (readonly Uint8Array[])[] = [];

function levelsOf(height: number): readonly Uint8Array[] {
  const known = wholeLevels[height];
  if (known !== undefined) return known;
  const buffers = [new Uint8Array(NODE_BYTES * 2 ** height), new Uint8Array(NODE_BYTES * 2 ** Math.max(0, height - 1))];
  const levels = Array.from({ length: height + 1 }, (_, level) => {
    const buffer = buffers[level % 2] ?? new Uint8Array();
    return buffer.subarray(0, NODE_BYTES * 2 ** (height - level));
  });
  wholeLevels[height] = levels;
  return levels;
}

/** Roots of the trees of `height` without gaps whose leaves lie side by side in `bytes`, into `target`, 32 bytes each. */
export function wholeRoots(bytes: Uint8Array, height: number, target: Uint8Array): void {
  const treeBytes = LEAF_BYTES * 2 ** height;
  let at = 0;
  while (at < bytes.length) {
    const runHeight = Math.floor(Math.log2(Math.min(bytes.length - at, Math.max(RUN_BYTES, treeBytes)) / LEAF_BYTES));
    const runBytes = LEAF_BYTES * 2 ** runHeight;
    const levels = levelsOf(runHeight);
    let below = bytes.subarray(at, at + runBytes);
    for (let level = 0; level <= height; level += 1) {
      const above = levels[level] ?? below;
      hashPairs(below, above);
      below = above;
    }
    target.set(below, (at / treeBytes) * NODE_BYTES);
    at += runBytes;
  }
}

/** Root of the tree of `height` over the leaves in `bytes`, whose length is a multiple of 64. */
export function leavesRoot(bytes: Uint8Array, height: number): Uint8Array {
  const count = bytes.length / LEAF_BYTES;
  if (!Number.isInteger(count)) throw new PpioError("BAD_FORMAT", "Cells are whole leaves of 64 bytes.");
  if (count < 1 || count > 2 ** height) throw new PpioError("BAD_FORMAT", `${count} leaves do not fit a tree of height ${height}.`);
  if (count < 2 ** height) return filledRoot(bytes, height);
  const root = new Uint8Array(NODE_BYTES);
  wholeRoots(bytes, height, root);
  return root;
}

/** Zero nodes fill up each level as far as the next one needs them. */
function filledRoot(bytes: Uint8Array, height: number): Uint8Array {
  let count = bytes.length / LEAF_BYTES;
  const needed = (count + 1) * NODE_BYTES;
  if (scratch[0].length < needed) scratch = [new Uint8Array(needed), new Uint8Array(needed)];
  let [level, above] = scratch;
  hashPairs(bytes, level.subarray(0, count * NODE_BYTES));
  for (let step = 0; step < height; step += 1) {
    if (count % 2 === 1) {
      level.set(zeroNode(step), count * NODE_BYTES);
      count += 1;
    }
    count /= 2;
    hashPairs(level.subarray(0, 2 * count * NODE_BYTES), above.subarray(0, count * NODE_BYTES));
    [level, above] = [above, level];
  }
  return level.slice(0, NODE_BYTES);
}

/** The level above `nodes`, one zero node appended when their number is odd. `level` is the level of `nodes`. */
function parents(nodes: Uint8Array, level: number): Uint8Array {
  const odd = (nodes.length / NODE_BYTES) % 2 === 1;
  const up = new Uint8Array((nodes.length + (odd ? NODE_BYTES : 0)) / 2);
  if (!odd) {
    hashPairs(nodes, up);
    return up;
  }
  const whole = nodes.length - NODE_BYTES;
  hashPairs(nodes.subarray(0, whole), up.subarray(0, whole / 2));
  const pair = new Uint8Array(LEAF_BYTES);
  pair.set(nodes.subarray(whole));
  pair.set(zeroNode(level), NODE_BYTES);
  hashPairs(pair, up.subarray(whole / 2));
  return up;
}

/**
 * Levels of the tree of `height` over `nodes`, which lie at level `baseLevel`; the first entry is `nodes`, the last the root.
 * Zero nodes beyond the end of a level are left out.
 */
export function buildLevels(nodes: Uint8Array, height: number, baseLevel: number): Uint8Array[] {
  const count = nodes.length / NODE_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > 2 ** height) {
    throw new PpioError("BAD_FORMAT", `${count} nodes do not fit a tree of height ${height}.`);
  }
  const levels = [nodes];
  let current = nodes;
  for (let step = 0; step < height; step += 1) {
    current = parents(current, baseLevel + step);
    levels.push(current);
  }
  return levels;
}

/** Root of the tree of `height` over `nodes` at level `baseLevel`. */
export function rootOf(nodes: Uint8Array, height: number, baseLevel: number): Uint8Array {
  const levels = buildLevels(nodes, height, baseLevel);
  return levels[height] ?? nodes;
}

/** Node `index` of a level, zero beyond its end. */
export function nodeAt(nodes: Uint8Array, index: number, level: number): Uint8Array {
  const at = index * NODE_BYTES;
  return at < nodes.length ? nodes.slice(at, at + NODE_BYTES) : zeroNode(level);
}

/** SHA-256(left ‖ right). */
export function hashNodes(left: Uint8Array, right: Uint8Array): Uint8Array {
  const pair = new Uint8Array(LEAF_BYTES);
  pair.set(left);
  pair.set(right, NODE_BYTES);
  const node = new Uint8Array(NODE_BYTES);
  hashPairs(pair, node);
  return node;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index += 1) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}
