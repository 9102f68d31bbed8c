/**
 * The code (docs/protocol/erasure.md): which point each cell stands at, and the coefficients by which known cells give others. Codewords
 * are multiples of one fixed polynomial by polynomials of degree below k, so any k cells, with the points that are zero in every
 * codeword, give the rest.
 */
import { PpioError } from "../errors.ts";
import { type Interpolation, interpolationMatrix } from "./interpolation.ts";

export const CELLS_MAX = 128;

export interface ErasureParams {
  /** Data cells of a segment. */
  readonly k: number;
  /** All cells of a segment; 1 <= k < n <= 128. */
  readonly n: number;
}

export function checkParams({ k, n }: ErasureParams): void {
  if (!(Number.isInteger(k) && Number.isInteger(n) && k >= 1 && k < n && n <= CELLS_MAX)) {
    throw new PpioError("BAD_FORMAT", `The code ${k}/${n} is not possible; k and n satisfy 1 <= k < n <= ${CELLS_MAX}.`);
  }
}

export function nextPowerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}

export interface CodePoints {
  /** Point index of each cell. */
  readonly cells: readonly number[];
  /** Points that are zero in every codeword. */
  readonly zeros: readonly number[];
  /** The lesser of P(k) and P(n - k): coded cells and data begin at multiples of it. */
  readonly block: number;
}

export function codePoints({ k, n }: ErasureParams): CodePoints {
  const dataPower = nextPowerOfTwo(k);
  const codedPower = nextPowerOfTwo(n - k);
  const highRate = codedPower < dataPower;
  const data = highRate ? codedPower : 0;
  const coded = highRate ? 0 : dataPower;
  const to = highRate ? nextPowerOfTwo(codedPower + k) : dataPower;
  return {
    cells: Array.from({ length: n }, (_, cell) => (cell < k ? data + cell : coded + cell - k)),
    zeros: Array.from({ length: to - data - k }, (_, index) => data + k + index),
    block: Math.min(dataPower, codedPower),
  };
}

/** Rebuilding the cells `wanted` from the k cells `have`, none in both. */
export function interpolationOf(params: ErasureParams, have: readonly number[], wanted: readonly number[]): Interpolation {
  const { cells, zeros } = codePoints(params);
  const pointOf = (cell: number): number => cells[cell] ?? 0;
  return { known: [...have.map(pointOf), ...zeros], sources: have.length, wanted: wanted.map(pointOf) };
}

const count = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** n x k coefficients in the standard basis, row by row; the first k rows are the identity. */
export function generatorMatrix(params: ErasureParams): Uint8Array {
  checkParams(params);
  const { k, n } = params;
  const matrix = new Uint8Array(n * k);
  for (let cell = 0; cell < k; cell += 1) matrix[cell * k + cell] = 1;
  matrix.set(interpolationMatrix(interpolationOf(params, count(0, k), count(k, n))), k * k);
  return matrix;
}
