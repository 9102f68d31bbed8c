/** Slow twins of the slot tree for the contract tests. */
import { createHash } from "node:crypto";
import { concat, hexlify } from "ethers";

const sha = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export interface TestTree {
  readonly root: string;
  readonly leafCount: number;
  /** Leaf, then siblings bottom up. */
  prove(leaf: number): string;
}

/** A tree of `leafCount` distinct leaves derived from `seed`. */
export function distinctTree(seed: string, leafCount: number): TestTree {
  const leaves = Array.from({ length: leafCount }, (_, i) => {
    const half = sha(Buffer.from(`${seed}/${i}`));
    return new Uint8Array([...half, ...sha(half)]);
  });
  const zero = sha(new Uint8Array(64));
  const levels: Uint8Array[][] = [leaves.map((leaf) => sha(leaf))];
  let filler = zero;
  for (let level = levels[0] ?? []; level.length > 1; ) {
    if (level.length % 2 === 1) level.push(filler);
    const next: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) next.push(sha(level[i] ?? filler, level[i + 1] ?? filler));
    filler = sha(filler, filler);
    levels.push(next);
    level = next;
  }
  const root = levels.at(-1)?.[0] ?? zero;
  return {
    root: hexlify(root),
    leafCount,
    prove(leaf) {
      const siblings = levels.slice(0, -1).map((level, height) => level[(leaf >> height) ^ 1] ?? zero);
      return concat([leaves[leaf] ?? new Uint8Array(64), ...siblings]);
    },
  };
}

/** A full tree of any depth whose leaves are all equal: for gas at realistic depths. */
export function uniformTree(depth: number): TestTree {
  const leaf = new Uint8Array(64).fill(7);
  const path: Uint8Array[] = [];
  let node = sha(leaf);
  for (let height = 0; height < depth; height++) {
    path.push(node);
    node = sha(node, node);
  }
  return { root: hexlify(node), leafCount: 2 ** depth, prove: () => concat([leaf, ...path]) };
}
