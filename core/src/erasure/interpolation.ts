/**
 * Lagrange interpolation with what depends on each point alone set apart: the polynomial of degree below |K| with the values y at the
 * points K is, elsewhere, f(e) = Z(e) * sum over s in K of (y_s / Z'(s)) / (e - s), where Z is the product of (x - s). So decoding is
 * two scalings around a sum that knows nothing of K.
 */
import { inverse, multiply, point } from "./field.ts";

/** Indices of points (docs/protocol/erasure.md). */
export interface Interpolation {
  /** Where values are known; those of `sources` first, zeros after. */
  readonly known: readonly number[];
  /** Known points whose values may differ from zero. */
  readonly sources: number;
  /** Where values are asked for, none of them known. */
  readonly wanted: readonly number[];
}

export interface Scales {
  /** 1 / Z'(s) of each source. */
  readonly sources: Uint8Array;
  /** Z(e) of each wanted point. */
  readonly wanted: Uint8Array;
}

export function interpolationScales({ known, sources, wanted }: Interpolation): Scales {
  const points = known.map(point);
  const locatorAt = (x: number): number => points.reduce((product, s) => (s === x ? product : multiply(product, x ^ s)), 1);
  return {
    sources: Uint8Array.from(points.slice(0, sources), (s) => inverse(locatorAt(s))),
    wanted: Uint8Array.from(wanted, (index) => locatorAt(point(index))),
  };
}

/** wanted x sources coefficients in the standard basis, row by row. */
export function interpolationMatrix(interpolation: Interpolation): Uint8Array {
  const { known, sources, wanted } = interpolation;
  const scales = interpolationScales(interpolation);
  const matrix = new Uint8Array(wanted.length * sources);
  wanted.forEach((index, row) => {
    for (let source = 0; source < sources; source += 1) {
      const apart = inverse(point(index) ^ point(known[source] ?? 0));
      const product = multiply(scales.wanted[row] ?? 0, scales.sources[source] ?? 0);
      matrix[row * sources + source] = multiply(product, apart);
    }
  });
  return matrix;
}
