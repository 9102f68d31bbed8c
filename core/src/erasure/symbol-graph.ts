/**
 * Symbols made of other symbols, and the additive Fourier transforms among them (Lin, Chung, Han, https://arxiv.org/abs/1404.3458) over
 * the Cantor basis, in which the factor of layer i at point x is the point x >> i. What is zero costs nothing, what no output needs is
 * left out.
 */
import { point } from "./field.ts";
import { ZERO } from "./pair-search.ts";
import { createXorBuilder, PLANES, type XorProgram } from "./xor-program.ts";

/** A symbol: one that is given, a + b, or a x coefficient. */
type Node =
  | { readonly kind: "given"; readonly cell: number }
  | { readonly kind: "sum"; readonly a: number; readonly b: number }
  | { readonly kind: "product"; readonly a: number; readonly coefficient: number };

/** Symbols are named by numbers: 0 to given - 1 are given, ZERO is zero, others come from the functions. */
export interface SymbolGraph {
  sum(a: number, b: number): number;
  /** Coefficients of the polynomial of least degree with these values at the points from `first` on, a multiple of their number. */
  interpolate(values: readonly number[], first: number): number[];
  /** Its values at as many points from `first` on. */
  evaluate(coefficients: readonly number[], first: number): number[];
  /** Its formal derivative: over this basis without a multiplication. */
  derive(coefficients: readonly number[]): number[];
  program(outputs: readonly number[]): XorProgram;
}

export function createSymbolGraph(given: number): SymbolGraph {
  const nodes: Node[] = Array.from({ length: given }, (_, cell) => ({ kind: "given", cell }));
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
  return {
    sum,
    interpolate: (values, first) => {
      const symbols = [...values];
      for (let layer = 0; 1 << layer < symbols.length; layer += 1) butterflies(symbols, first, layer, true);
      return symbols;
    },
    evaluate: (coefficients, first) => {
      const symbols = [...coefficients];
      for (let layer = Math.log2(symbols.length) - 1; layer >= 0; layer -= 1) butterflies(symbols, first, layer, false);
      return symbols;
    },
    derive: (coefficients) =>
      coefficients.map((_, index) => {
        let derived = ZERO;
        for (let bit = 1; bit < coefficients.length; bit *= 2) {
          if ((index & bit) === 0) derived = sum(derived, coefficients[index + bit] ?? ZERO);
        }
        return derived;
      }),
    program: (outputs) => compile(nodes, given, outputs),
  };
}

function compile(nodes: readonly Node[], given: number, outputs: readonly number[]): XorProgram {
  const builder = createXorBuilder(given);
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
    if (node.kind === "given") return Array.from({ length: PLANES }, (_, plane) => PLANES * node.cell + plane);
    if (node.kind === "product") return builder.times(planesOf(node.a), node.coefficient);
    const [a, b] = [planesOf(node.a), planesOf(node.b)];
    return a.map((value, plane) => builder.xor(value, b[plane] ?? ZERO));
  };
  return builder.program(outputs.flatMap(planesOf));
}
