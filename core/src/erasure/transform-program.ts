/**
 * Encoding as additive Fourier transforms (Lin, Chung, Han, https://arxiv.org/abs/1404.3458) over the Cantor basis, in which the factor
 * of layer i at point x is the point x >> i. Inverse transforms interpolate the data, transforms evaluate at the coded points; what is
 * zero or not asked for is left out. O(n log n) products instead of the k (n - k) of the matrix.
 */
import { point } from "./field.ts";
import { type ErasureParams, nextPowerOfTwo } from "./matrix.ts";
import { createXorBuilder, PLANES, type XorProgram, ZERO } from "./xor-program.ts";

/** A symbol: a data cell, a + b, or a x coefficient. */
type Node =
  | { readonly kind: "data"; readonly cell: number }
  | { readonly kind: "sum"; readonly a: number; readonly b: number }
  | { readonly kind: "product"; readonly a: number; readonly coefficient: number };

interface Graph {
  readonly nodes: readonly Node[];
  readonly outputs: readonly number[];
}

export function transformProgram(params: ErasureParams): XorProgram {
  const { nodes, outputs } = transformGraph(params);
  const builder = createXorBuilder(params.k);
  const values = new Map<number, number[]>();
  // Depth first from each output in turn: the eight planes of a symbol advance together and few values are alive.
  const planesOf = (id: number): number[] => {
    const known = values.get(id);
    if (known !== undefined) return known;
    const planes = make(nodes[id]);
    values.set(id, planes);
    return planes;
  };
  const make = (node: Node | undefined): number[] => {
    if (node === undefined) return new Array<number>(PLANES).fill(ZERO);
    if (node.kind === "data") return Array.from({ length: PLANES }, (_, plane) => PLANES * node.cell + plane);
    if (node.kind === "product") return builder.times(planesOf(node.a), node.coefficient);
    const [a, b] = [planesOf(node.a), planesOf(node.b)];
    return a.map((value, plane) => builder.xor(value, b[plane] ?? ZERO));
  };
  return builder.program(outputs.flatMap(planesOf));
}

function transformGraph({ k, n }: ErasureParams): Graph {
  const nodes: Node[] = Array.from({ length: k }, (_, cell) => ({ kind: "data", cell }));
  const add = (node: Node): number => nodes.push(node) - 1;
  const sum = (a: number, b: number): number => (a === ZERO ? b : b === ZERO ? a : add({ kind: "sum", a, b }));
  const times = (a: number, coefficient: number): number =>
    a === ZERO || coefficient === 0 ? ZERO : coefficient === 1 ? a : add({ kind: "product", a, coefficient });

  /** Butterflies of layer `layer` over `symbols`, the first of which stands at point `first`. */
  const butterflies = (symbols: number[], first: number, layer: number, inverse: boolean): void => {
    const half = 1 << layer;
    for (let start = 0; start < symbols.length; start += 2 * half) {
      const factor = point((first + start) >> layer);
      for (let low = start; low < start + half; low += 1) {
        let a = symbols[low] ?? ZERO;
        let b = symbols[low + half] ?? ZERO;
        if (inverse) b = sum(a, b);
        a = sum(a, times(b, factor));
        if (!inverse) b = sum(a, b);
        symbols[low] = a;
        symbols[low + half] = b;
      }
    }
  };
  const interpolate = (values: readonly number[], first: number): number[] => {
    const symbols = [...values];
    for (let layer = 0; 1 << layer < symbols.length; layer += 1) butterflies(symbols, first, layer, true);
    return symbols;
  };
  const evaluate = (coefficients: readonly number[], first: number): number[] => {
    const symbols = [...coefficients];
    for (let layer = Math.log2(symbols.length) - 1; layer >= 0; layer -= 1) butterflies(symbols, first, layer, false);
    return symbols;
  };
  const dataFrom = (from: number, count: number): number[] =>
    Array.from({ length: count }, (_, index) => (from + index < k ? from + index : ZERO));

  const coded = n - k;
  const dataPower = nextPowerOfTwo(k);
  const codedPower = nextPowerOfTwo(coded);
  if (codedPower < dataPower) {
    let coefficients = new Array<number>(codedPower).fill(ZERO);
    for (let from = 0; from < k; from += codedPower) {
      const part = interpolate(dataFrom(from, codedPower), codedPower + from);
      coefficients = coefficients.map((value, index) => sum(value, part[index] ?? ZERO));
    }
    return { nodes, outputs: evaluate(coefficients, 0).slice(0, coded) };
  }
  const coefficients = interpolate(dataFrom(0, dataPower), 0);
  const outputs: number[] = [];
  for (let first = dataPower; outputs.length < coded; first += dataPower) outputs.push(...evaluate(coefficients, first));
  return { nodes, outputs: outputs.slice(0, coded) };
}
