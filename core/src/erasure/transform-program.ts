/**
 * The Fourier transforms of encoding and of decoding as XOR programs. Encoding: inverse transforms interpolate the data, transforms
 * evaluate at the coded points, O(n log n) products instead of the k (n - k) of the matrix. Decoding: see transform-decoder.
 */
import { type ErasureParams, nextPowerOfTwo } from "./matrix.ts";
import { inOrder, ZERO } from "./pair-search.ts";
import { createSymbolGraph } from "./symbol-graph.ts";
import { PLANES, type XorProgram } from "./xor-program.ts";

export function encodingProgram({ k, n }: ErasureParams): XorProgram {
  const graph = createSymbolGraph(k);
  const dataFrom = (from: number, count: number): number[] =>
    Array.from({ length: count }, (_, index) => (from + index < k ? from + index : ZERO));
  const coded = n - k;
  const dataPower = nextPowerOfTwo(k);
  const codedPower = nextPowerOfTwo(coded);
  if (codedPower < dataPower) {
    let coefficients = new Array<number>(codedPower).fill(ZERO);
    for (let from = 0; from < k; from += codedPower) {
      const part = graph.interpolate(dataFrom(from, codedPower), codedPower + from);
      coefficients = coefficients.map((value, index) => graph.sum(value, part[index] ?? ZERO));
    }
    const program = graph.program(graph.evaluate(coefficients, 0).slice(0, coded));
    // Few outputs of many inputs: in this order fewer values are alive (docs/performance.md).
    return { sources: k, ...inOrder(program, PLANES * k) };
  }
  const coefficients = graph.interpolate(dataFrom(0, dataPower), 0);
  const outputs: number[] = [];
  for (let first = dataPower; outputs.length < coded; first += dataPower) outputs.push(...graph.evaluate(coefficients, first));
  return graph.program(outputs.slice(0, coded));
}

export interface Stage {
  /** Points of the transform: a power of two. */
  readonly points: number;
  /** The first point, a multiple of their number. */
  readonly first: number;
  /** Values at as many first points are given or asked for; the others are zero or of no interest. */
  readonly values: number;
}

export interface InverseStage extends Stage {
  readonly derive: boolean;
  /** Adds to as many symbols as there are points, given after the values. */
  readonly add: boolean;
}

/** Values into the coefficients of their polynomial or of its derivative. */
export function inverseProgram({ points, first, values, derive, add }: InverseStage): XorProgram {
  const graph = createSymbolGraph(add ? values + points : values);
  const given = Array.from({ length: points }, (_, index) => (index < values ? index : ZERO));
  const coefficients = graph.interpolate(given, first);
  const derived = derive ? graph.derive(coefficients) : coefficients;
  return graph.program(add ? derived.map((value, index) => graph.sum(values + index, value)) : derived);
}

/** Coefficients into values. */
export function forwardProgram({ points, first, values }: Stage): XorProgram {
  const graph = createSymbolGraph(points);
  const given = Array.from({ length: points }, (_, index) => index);
  return graph.program(graph.evaluate(given, first).slice(0, values));
}
