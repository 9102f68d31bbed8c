/**
 * Coding as a straight line of XORs of 16-byte planes. Values are numbered: 8 c + p is plane p of source c, later ones are the results
 * of the steps in order. Equal sums are made once.
 */
import { bitColumns } from "./field.ts";

export const PLANES = 8;
/** The sum of nothing. */
export const ZERO = -1;
const SEARCHES = 24;
/** More values than any program has: 2^16 > 50,000, the number of locals that engines accept. */
const VALUES_MAX = 1 << 16;

export interface XorProgram {
  readonly sources: number;
  /** Step i makes value 8 sources + i of the two values. */
  readonly steps: readonly (readonly [number, number])[];
  /** Value of each plane of each target. */
  readonly outputs: readonly number[];
}

export interface XorBuilder {
  xor(a: number, b: number): number;
  /** The planes of a symbol times a constant of the standard basis. */
  times(planes: readonly number[], coefficient: number): number[];
  program(outputs: readonly number[]): XorProgram;
}

export function createXorBuilder(sources: number): XorBuilder {
  const steps: [number, number][] = [];
  const known = new Map<number, number>();
  const xor = (a: number, b: number): number => {
    if (a === b) return ZERO;
    if (a === ZERO || b === ZERO) return a === ZERO ? b : a;
    const key = Math.min(a, b) * VALUES_MAX + Math.max(a, b);
    const before = known.get(key);
    if (before !== undefined) return before;
    steps.push([a, b]);
    const value = PLANES * sources + steps.length - 1;
    known.set(key, value);
    return value;
  };
  return {
    xor,
    times: (planes, coefficient) => {
      const { sums, outputs } = shortProduct(coefficient);
      const values = [...planes];
      for (const [a, b] of sums) values.push(xor(values[a] ?? ZERO, values[b] ?? ZERO));
      return outputs.map((value) => values[value] ?? ZERO);
    },
    program: (outputs) => ({ sources, steps, outputs }),
  };
}

interface Product {
  readonly sums: readonly (readonly [number, number])[];
  readonly outputs: readonly number[];
}

const products = new Map<number, Product>();

/** A short program for eight planes times a constant: Paar's greedy search, several times with ties broken by a seeded draw. */
function shortProduct(coefficient: number): Product {
  const known = products.get(coefficient);
  if (known !== undefined) return known;
  const columns = bitColumns(coefficient);
  const rows = Array.from({ length: PLANES }, (_, p) => columns.flatMap((column, q) => ((column >> p) & 1 ? [q] : [])));
  const draw = seededDraw(coefficient);
  let best = paar(rows, () => 0);
  for (let search = 1; search < SEARCHES; search += 1) {
    const other = paar(rows, draw);
    if (other.sums.length < best.sums.length) best = other;
  }
  products.set(coefficient, best);
  return best;
}

/** Takes the pair that most rows share, until every row is one value. */
function paar(from: readonly (readonly number[])[], draw: (below: number) => number): Product {
  const rows = from.map((row) => new Set(row));
  const sums: [number, number][] = [];
  for (;;) {
    const counts = new Map<number, number>();
    for (const row of rows) {
      const values = [...row];
      values.forEach((a, at) => {
        for (const b of values.slice(at + 1)) {
          const key = Math.min(a, b) * VALUES_MAX + Math.max(a, b);
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      });
    }
    if (counts.size === 0) break;
    const most = Math.max(...counts.values());
    const pairs = [...counts].filter(([, count]) => count === most);
    const [key = 0] = pairs[draw(pairs.length)] ?? [];
    const [a, b] = [Math.floor(key / VALUES_MAX), key % VALUES_MAX];
    for (const row of rows) {
      if (row.has(a) && row.has(b)) {
        row.delete(a);
        row.delete(b);
        row.add(PLANES + sums.length);
      }
    }
    sums.push([a, b]);
  }
  return { sums, outputs: rows.map((row) => [...row][0] ?? ZERO) };
}

/** A linear congruential generator, so that every machine makes the same kernels. */
function seededDraw(seed: number): (below: number) => number {
  let state = seed + 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** targets x sources coefficients, source by source, so that few values are alive; sums of four planes are shared by all targets. */
export function matrixProgram(matrix: Uint8Array, sources: number): XorProgram {
  const builder = createXorBuilder(sources);
  const targets = matrix.length / sources;
  const outputs = new Array<number>(targets * PLANES).fill(ZERO);
  for (let source = 0; source < sources; source += 1) {
    const sumOf = (half: number, subset: number): number => {
      if (subset === 0) return ZERO;
      const rest = subset & (subset - 1);
      const lowest = PLANES * source + 4 * half + (31 - Math.clz32(subset ^ rest));
      return builder.xor(lowest, sumOf(half, rest));
    };
    for (let target = 0; target < targets; target += 1) {
      const subsets = planeSubsets(matrix[target * sources + source] ?? 0);
      subsets.forEach((subset, plane) => {
        const at = target * PLANES + plane;
        outputs[at] = builder.xor(builder.xor(outputs[at] ?? ZERO, sumOf(0, subset & 15)), sumOf(1, subset >> 4));
      });
    }
  }
  return builder.program(outputs);
}

/** For every plane of a product with `coefficient`: the set of source planes that it sums, as bits. */
export function planeSubsets(coefficient: number): number[] {
  const columns = bitColumns(coefficient);
  return Array.from({ length: PLANES }, (_, plane) => columns.reduce((subset, column, q) => subset | (((column >> plane) & 1) << q), 0));
}
