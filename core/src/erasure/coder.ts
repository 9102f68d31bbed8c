/**
 * Systematic Reed-Solomon over GF(2^8): k data cells to n, and back from any k. Works on any multiple of 128 bytes, so that a part of
 * a cell is rebuilt from the same part of k others.
 */
import { PpioError } from "../errors.ts";
import { checkParams, type ErasureParams, generatorMatrix, invertMatrix, multiplyMatrices } from "./matrix.ts";
import { compileProgram, type PlaneProgram, runProgram, UNIT_BYTES } from "./plane-kernel.ts";

/** Programs for loss patterns are kept, the oldest dropped. */
const PROGRAMS_MAX = 64;

export interface ErasureCoder extends ErasureParams {
  /**
   * Fills the n - k coded cells.
   * @param data k cells of equal length, a multiple of 128
   */
  encode(data: readonly Uint8Array[], coded: readonly Uint8Array[]): void;
  /**
   * Rebuilds cells by index.
   * @param have at least k cells, or the same part of k cells; the k smallest indices are used
   * @param want cells to fill, of the same length
   * @throws UNRECOVERABLE with fewer than k
   */
  reconstruct(have: ReadonlyMap<number, Uint8Array>, want: ReadonlyMap<number, Uint8Array>): void;
}

export function createErasureCoder(params: ErasureParams): ErasureCoder {
  checkParams(params);
  const { k, n } = params;
  const matrix = generatorMatrix(params);
  const encoder = compileProgram(matrix.subarray(k * k), k);
  const programs = new Map<string, PlaneProgram>();

  const rowsOf = (indices: readonly number[]): Uint8Array => {
    const rows = new Uint8Array(indices.length * k);
    indices.forEach((index, at) => {
      rows.set(matrix.subarray(index * k, (index + 1) * k), at * k);
    });
    return rows;
  };

  const programFor = (from: readonly number[], to: readonly number[]): PlaneProgram => {
    const key = `${from.join()}>${to.join()}`;
    const known = programs.get(key);
    if (known !== undefined) return known;
    const program = compileProgram(multiplyMatrices(rowsOf(to), invertMatrix(rowsOf(from), k), k), k);
    const oldest = programs.keys().next();
    if (programs.size >= PROGRAMS_MAX && !oldest.done) programs.delete(oldest.value);
    programs.set(key, program);
    return program;
  };

  return {
    k,
    n,
    encode: (data, coded) => {
      if (data.length !== k || coded.length !== n - k)
        throw new PpioError("BAD_FORMAT", `A segment has ${k} data and ${n - k} coded cells.`);
      checkLengths([...data, ...coded]);
      runProgram(encoder, data, coded);
    },
    reconstruct: (have, want) => {
      const from = [...have.keys()].sort((a, b) => a - b).slice(0, k);
      const to = [...want.keys()];
      if (from.length < k) {
        throw new PpioError("UNRECOVERABLE", `Only ${from.length} of the ${k} cells that are needed could be read.`, {
          details: { k, have: from },
        });
      }
      if ([...from, ...to].some((index) => !Number.isInteger(index) || index < 0 || index >= n)) {
        throw new PpioError("BAD_FORMAT", `Cells of this code are numbered 0 to ${n - 1}.`);
      }
      if (to.length === 0) return;
      const sources = from.map((index) => have.get(index) ?? new Uint8Array());
      const targets = [...want.values()];
      checkLengths([...sources, ...targets]);
      runProgram(programFor(from, to), sources, targets);
    },
  };
}

function checkLengths(cells: readonly Uint8Array[]): void {
  const length = cells[0]?.length ?? 0;
  if (length === 0 || length % UNIT_BYTES !== 0 || cells.some((cell) => cell.length !== length)) {
    throw new PpioError("BAD_FORMAT", `The cells of a segment are equally long, a positive multiple of ${UNIT_BYTES} bytes.`);
  }
}
