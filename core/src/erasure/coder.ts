/**
 * Systematic Reed-Solomon over GF(2^8): k data cells to n, and back from any k. Works on any multiple of 128 bytes, so that a part of
 * a cell is rebuilt from the same part of k others.
 */
import { PpioError } from "../errors.ts";
import { hasSimd } from "../wasm/simd.ts";
import { checkParams, type ErasureParams, generatorMatrix, invertMatrix, multiplyMatrices } from "./matrix.ts";
import { UNIT_BYTES } from "./plane-kernel.ts";
import { type Program, plainProgram, simdProgram } from "./program.ts";
import { SimdMemory } from "./simd-memory.ts";
import { transformProgram } from "./transform-program.ts";
import { matrixProgram, type XorProgram } from "./xor-program.ts";

/** Programs for loss patterns are kept, the oldest dropped. */
const PROGRAMS_MAX = 64;
/** Coefficients of a decoding matrix up to which a kernel of its own is faster than tables (docs/performance.md). */
const STRAIGHT_COEFFICIENTS_MAX = 128;

export interface ErasureOptions {
  /** WebAssembly SIMD where it is known, or plain JavaScript; the bytes are the same. */
  readonly kernel?: "auto" | "plain";
  /** Memory whose cells are coded without a copy; one for all coders of the thread otherwise. */
  readonly memory?: SimdMemory;
}

let sharedMemory: SimdMemory | undefined;

function memoryFor({ kernel = "auto", memory }: ErasureOptions): SimdMemory | undefined {
  if (kernel === "plain" || !hasSimd()) return undefined;
  if (memory !== undefined) return memory;
  sharedMemory ??= new SimdMemory();
  return sharedMemory;
}

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

export function createErasureCoder(params: ErasureParams, options: ErasureOptions = {}): ErasureCoder {
  checkParams(params);
  const { k, n } = params;
  const matrix = generatorMatrix(params);
  const memory = memoryFor(options);
  const compile = (rows: Uint8Array, straight?: () => XorProgram): Program =>
    memory === undefined ? plainProgram(rows, k) : simdProgram(memory, rows, k, straight);
  const encoder = compile(matrix.subarray(k * k), () => transformProgram(params));
  const programs = new Map<string, Program>();

  const rowsOf = (indices: readonly number[]): Uint8Array => {
    const rows = new Uint8Array(indices.length * k);
    indices.forEach((index, at) => {
      rows.set(matrix.subarray(index * k, (index + 1) * k), at * k);
    });
    return rows;
  };

  const programFor = (from: readonly number[], to: readonly number[]): Program => {
    const key = `${from.join()}>${to.join()}`;
    const known = programs.get(key);
    if (known !== undefined) return known;
    const rows = multiplyMatrices(rowsOf(to), invertMatrix(rowsOf(from), k), k);
    const program = compile(rows, rows.length <= STRAIGHT_COEFFICIENTS_MAX ? () => matrixProgram(rows, k) : undefined);
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
      encoder(data, coded);
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
      programFor(from, to)(sources, targets);
    },
  };
}

function checkLengths(cells: readonly Uint8Array[]): void {
  const length = cells[0]?.length ?? 0;
  if (length === 0 || length % UNIT_BYTES !== 0 || cells.some((cell) => cell.length !== length)) {
    throw new PpioError("BAD_FORMAT", `The cells of a segment are equally long, a positive multiple of ${UNIT_BYTES} bytes.`);
  }
}
