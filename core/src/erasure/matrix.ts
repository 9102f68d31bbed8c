/**
 * The code as a matrix (docs/protocol/erasure.md): n rows of k coefficients; the first k rows are the identity, the others come from
 * Lagrange interpolation through the data points. Any k rows can be inverted, because codewords are multiples of one fixed
 * polynomial by polynomials of degree below k.
 */
import { PpioError } from "../errors.ts";
import { inverse, multiply, point } from "./field.ts";

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

interface Points {
  /** Point index of data cell 0; the data follow one another. */
  readonly data: number;
  /** Point index of the first coded cell. */
  readonly coded: number;
  /** Points [from, to) are fixed by data and zeros. */
  readonly from: number;
  readonly to: number;
}

function layoutPoints({ k, n }: ErasureParams): Points {
  const dataPower = nextPowerOfTwo(k);
  const codedPower = nextPowerOfTwo(n - k);
  if (codedPower < dataPower) return { data: codedPower, coded: 0, from: codedPower, to: nextPowerOfTwo(codedPower + k) };
  return { data: 0, coded: dataPower, from: 0, to: dataPower };
}

/** n x k coefficients in the standard basis, row by row. */
export function generatorMatrix(params: ErasureParams): Uint8Array {
  checkParams(params);
  const { k, n } = params;
  const { data, coded, from, to } = layoutPoints(params);
  const matrix = new Uint8Array(n * k);
  for (let cell = 0; cell < k; cell += 1) matrix[cell * k + cell] = 1;
  for (let cell = 0; cell < k; cell += 1) {
    const own = point(data + cell);
    for (let row = k; row < n; row += 1) {
      const at = point(coded + row - k);
      let above = 1;
      let below = 1;
      for (let index = from; index < to; index += 1) {
        if (index === data + cell) continue;
        above = multiply(above, at ^ point(index));
        below = multiply(below, own ^ point(index));
      }
      matrix[row * k + cell] = multiply(above, inverse(below));
    }
  }
  return matrix;
}

/** Inverse of a k x k matrix by Gauss and Jordan; the matrices of this code always have one. */
export function invertMatrix(matrix: Uint8Array, k: number): Uint8Array {
  const width = 2 * k;
  const work = new Uint8Array(k * width);
  for (let row = 0; row < k; row += 1) {
    work.set(matrix.subarray(row * k, (row + 1) * k), row * width);
    work[row * width + k + row] = 1;
  }
  for (let column = 0; column < k; column += 1) {
    pivot(work, width, k, column);
    const scale = inverse(work[column * width + column] ?? 0);
    for (let at = 0; at < width; at += 1) work[column * width + at] = multiply(work[column * width + at] ?? 0, scale);
    for (let row = 0; row < k; row += 1) if (row !== column) eliminate(work, width, row, column);
  }
  const result = new Uint8Array(k * k);
  for (let row = 0; row < k; row += 1) result.set(work.subarray(row * width + k, (row + 1) * width), row * k);
  return result;
}

function pivot(work: Uint8Array, width: number, k: number, column: number): void {
  let row = column;
  while (row < k && work[row * width + column] === 0) row += 1;
  if (row === k) throw new PpioError("INTERNAL", "The erasure matrix cannot be inverted.");
  if (row === column) return;
  const moved = work.slice(row * width, (row + 1) * width);
  work.copyWithin(row * width, column * width, (column + 1) * width);
  work.set(moved, column * width);
}

function eliminate(work: Uint8Array, width: number, row: number, column: number): void {
  const factor = work[row * width + column] ?? 0;
  if (factor === 0) return;
  for (let at = column; at < width; at += 1) {
    const index = row * width + at;
    work[index] = (work[index] ?? 0) ^ multiply(factor, work[column * width + at] ?? 0);
  }
}

/** rows x k times k x k. */
export function multiplyMatrices(left: Uint8Array, right: Uint8Array, k: number): Uint8Array {
  const rows = left.length / k;
  const product = new Uint8Array(rows * k);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < k; column += 1) {
      let sum = 0;
      for (let at = 0; at < k; at += 1) sum ^= multiply(left[row * k + at] ?? 0, right[at * k + column] ?? 0);
      product[row * k + column] = sum;
    }
  }
  return product;
}
