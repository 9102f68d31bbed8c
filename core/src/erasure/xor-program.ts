/**
 * Coding as a straight line of XORs of 16-byte planes. Values are numbered: 8 c + p is plane p of source c, later ones are the results
 * of the steps in order. Equal sums are made once.
 */
import { bitColumns } from "./field.ts";
import { inOrder, type SumProgram, searchPairs, ZERO } from "./pair-search.ts";

export const PLANES = 8;
/** Searches for the product with a constant; more find next to nothing. */
const SEARCHES = 3;
/** Up to as many targets each source is added to them in turn and forgotten; then sums that sources share are worth a search. */
const TARGETS_BY_SOURCE_MAX = 2;
/** More values than any program has: 2^16 > 50,000, the number of locals that engines accept. */
const VALUES_MAX = 1 << 16;

export interface XorProgram extends SumProgram {
  /** Cells; a step's value is numbered from 8 sources on, outputs are the planes of each target. */
  readonly sources: number;
}

export interface XorBuilder {
  xor(a: number, b: number): number;
  /** The planes of a symbol times a constant of the standard basis. */
  times(planes: readonly number[], coefficient: number): number[];
  /** Adds such a product to `sums`, each plane as soon as it is there, so that few values are alive. */
  addTimes(sums: number[], planes: readonly number[], coefficient: number): void;
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
  const run = (planes: readonly number[], coefficient: number, done: (plane: number, value: number) => void): void => {
    const { steps: sums, outputs } = shortProduct(coefficient);
    const values: number[] = [];
    const add = (value: number): void => {
      outputs.forEach((output, plane) => {
        if (output === values.length) done(plane, value);
      });
      values.push(value);
    };
    planes.forEach(add);
    for (const [a, b] of sums) add(xor(values[a] ?? ZERO, values[b] ?? ZERO));
  };
  return {
    xor,
    times: (planes, coefficient) => {
      const product = new Array<number>(PLANES).fill(ZERO);
      run(planes, coefficient, (plane, value) => {
        product[plane] = value;
      });
      return product;
    },
    addTimes: (sums, planes, coefficient) => {
      run(planes, coefficient, (plane, value) => {
        sums[plane] = xor(sums[plane] ?? ZERO, value);
      });
    },
    program: (outputs) => ({ sources, steps, outputs }),
  };
}

const products = new Map<number, SumProgram>();

/** A short program for eight planes times a constant: the search, several times with the planes named otherwise. */
export function shortProduct(coefficient: number): SumProgram {
  const known = products.get(coefficient);
  if (known !== undefined) return known;
  const rows = planeSubsets(coefficient).map((subset) => [...planesOf(subset)]);
  const draw = seededDraw(coefficient);
  let best = searchPairs(rows, PLANES);
  for (let search = 1; search < SEARCHES; search += 1) {
    const other = searchRenamed(rows, draw);
    if (other.steps.length < best.steps.length) best = other;
  }
  const product = inOrder(best, PLANES);
  products.set(coefficient, product);
  return product;
}

function searchRenamed(rows: readonly (readonly number[])[], draw: (below: number) => number): SumProgram {
  const planes = Array.from({ length: PLANES }, (_, plane) => plane);
  for (let left = PLANES; left > 1; left -= 1) {
    const [taken = 0] = planes.splice(draw(left), 1);
    planes.push(taken);
  }
  const named = rows.map((row) => row.map((plane) => planes.indexOf(plane)));
  const { steps, outputs } = searchPairs(named, PLANES);
  const renamed = (value: number): number => planes[value] ?? value;
  return { outputs: outputs.map(renamed), steps: steps.map(([a, b]) => [renamed(a), renamed(b)]) };
}

/** A linear congruential generator, so that every machine makes the same kernels. */
function seededDraw(seed: number): (below: number) => number {
  let state = seed + 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** targets x sources coefficients. */
export function matrixProgram(matrix: Uint8Array, sources: number): XorProgram {
  const targets = matrix.length / sources;
  if (targets <= TARGETS_BY_SOURCE_MAX) return programBySource(matrix, sources);
  const sums = Array.from({ length: targets * PLANES }, (): number[] => []);
  matrix.forEach((coefficient, at) => {
    const [target, source] = [Math.floor(at / sources), at % sources];
    planeSubsets(coefficient).forEach((subset, plane) => {
      for (const q of planesOf(subset)) sums[target * PLANES + plane]?.push(source * PLANES + q);
    });
  });
  const inputs = sources * PLANES;
  return { sources, ...inOrder(searchPairs(sums, inputs), inputs) };
}

function programBySource(matrix: Uint8Array, sources: number): XorProgram {
  const builder = createXorBuilder(sources);
  const targets = Array.from({ length: matrix.length / sources }, () => new Array<number>(PLANES).fill(ZERO));
  for (let source = 0; source < sources; source += 1) {
    const planes = Array.from({ length: PLANES }, (_, plane) => PLANES * source + plane);
    targets.forEach((sums, target) => {
      builder.addTimes(sums, planes, matrix[target * sources + source] ?? 0);
    });
  }
  return builder.program(targets.flat());
}

function* planesOf(subset: number): Generator<number> {
  for (let plane = 0; plane < PLANES; plane += 1) if ((subset >> plane) & 1) yield plane;
}

/** For every plane of a product with `coefficient`: the set of source planes that it sums, as bits. */
export function planeSubsets(coefficient: number): number[] {
  const columns = bitColumns(coefficient);
  return Array.from({ length: PLANES }, (_, plane) => columns.reduce((subset, column, q) => subset | (((column >> plane) & 1) << q), 0));
}
