/**
 * Systematic Reed-Solomon over GF(2^8): k data cells to n, and back from any k. Works on any multiple of 128 bytes, so that a part of
 * a cell is rebuilt from the same part of k others.
 */
import { PpioError } from "../errors.ts";
import { hasSimd } from "../wasm/simd.ts";
import { interpolationMatrix } from "./interpolation.ts";
import { checkParams, codePoints, type ErasureParams, generatorMatrix, interpolationOf } from "./matrix.ts";
import { UNIT_BYTES } from "./memory-map.ts";
import { type FasterCoding, type Program, plainProgram, simdProgram, straightCoding } from "./program.ts";
import { SimdMemory } from "./simd-memory.ts";
import { transformCoding, transformXors } from "./transform-decoder.ts";
import { encodingProgram } from "./transform-program.ts";
import { matrixProgram } from "./xor-program.ts";

/** Programs for loss patterns are kept, the oldest dropped. */
const PATTERNS_MAX = 64;
/** Coefficients of a decoding matrix up to which a kernel of its own is made: the search for it takes the cube of them. */
const STRAIGHT_COEFFICIENTS_MAX = 128;
/** What is coded with tables before something faster is made: what takes about as long as making it does (docs/performance.md). */
const ENCODER_AFTER_BYTES = 1 << 20;
const TRANSFORMS_AFTER_BYTES = 1 << 26;
const KERNEL_AFTER_BYTES_PER_COEFFICIENT = 1 << 20;
/** What a coefficient costs the table kernel, in XORs of a transform (4 ns and 0.25 ns measured). */
const XORS_PER_COEFFICIENT = 16;

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

/** What is lost and what it is rebuilt from. */
interface Pattern {
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Those of `to` that are not known. */
  readonly missing: readonly number[];
  readonly rebuild: Program;
}

export function createErasureCoder(params: ErasureParams, options: ErasureOptions = {}): ErasureCoder {
  checkParams(params);
  const { k, n } = params;
  const memory = memoryFor(options);
  const compile = (rows: Uint8Array, faster?: FasterCoding): Program =>
    memory === undefined ? plainProgram(rows, k) : simdProgram(memory, rows, k, faster);
  const encoder = compile(generatorMatrix(params).subarray(k * k), {
    afterBytes: ENCODER_AFTER_BYTES,
    coded: { bytes: 0 },
    make: (into) => straightCoding(into, encodingProgram(params)),
  });
  const { block, cells } = codePoints(params);

  const decoder = (from: readonly number[], to: readonly number[]): Program => {
    const interpolation = interpolationOf(params, from, to);
    const rows = interpolationMatrix(interpolation);
    if (rows.length <= STRAIGHT_COEFFICIENTS_MAX) {
      const afterBytes = rows.length * KERNEL_AFTER_BYTES_PER_COEFFICIENT;
      return compile(rows, { afterBytes, coded: { bytes: 0 }, make: (into) => straightCoding(into, matrixProgram(rows, k)) });
    }
    const transform = { ...interpolation, points: block, cells };
    if (transformXors(transform) >= rows.length * XORS_PER_COEFFICIENT) return compile(rows);
    // All coders of a memory share the transforms and the wait for them.
    const coded = memory?.transformable ?? { bytes: 0 };
    return compile(rows, { afterBytes: TRANSFORMS_AFTER_BYTES, coded, make: (into) => transformCoding(into, transform) });
  };

  const patterns = new Map<string, Pattern>();
  let latest: Pattern | undefined;
  const patternFor = (from: readonly number[], to: readonly number[]): Pattern => {
    if (latest !== undefined && sameNumbers(latest.from, from) && sameNumbers(latest.to, to)) return latest;
    const isCell = (index: number): boolean => Number.isInteger(index) && index >= 0 && index < n;
    if (!from.every(isCell) || !to.every(isCell)) throw new PpioError("BAD_FORMAT", `Cells of this code are numbered 0 to ${n - 1}.`);
    const key = `${from.join()}>${to.join()}`;
    latest = patterns.get(key);
    if (latest !== undefined) return latest;
    const missing = to.filter((index) => !from.includes(index));
    latest = { from, to, missing, rebuild: missing.length === 0 ? () => undefined : decoder(from, missing) };
    const oldest = patterns.keys().next();
    if (patterns.size >= PATTERNS_MAX && !oldest.done) patterns.delete(oldest.value);
    patterns.set(key, latest);
    return latest;
  };

  return {
    k,
    n,
    encode: (data, coded) => {
      if (data.length !== k || coded.length !== n - k)
        throw new PpioError("BAD_FORMAT", `A segment has ${k} data and ${n - k} coded cells.`);
      checkLengths(data, coded);
      encoder(data, coded);
    },
    reconstruct: (have, want) => {
      const { indices: from, cells: sources } = smallest(have, k);
      if (from.length < k) {
        throw new PpioError("UNRECOVERABLE", `Only ${from.length} of the ${k} cells that are needed could be read.`, {
          details: { k, have: from },
        });
      }
      const to = [...want.keys()];
      const { missing, rebuild } = patternFor(from, to);
      if (to.length === 0) return;
      const targets = [...want.values()];
      checkLengths(sources, targets);
      if (missing.length === to.length) {
        rebuild(sources, targets);
        return;
      }
      rebuild(
        sources,
        missing.map((index) => want.get(index) ?? new Uint8Array()),
      );
      for (const [index, target] of want) {
        const known = sources[from.indexOf(index)];
        if (known !== undefined) target.set(known);
      }
    },
  };
}

interface NumberedCells {
  readonly indices: number[];
  readonly cells: Uint8Array[];
}

/** Those with the `count` smallest indices, in order. */
function smallest(numbered: ReadonlyMap<number, Uint8Array>, count: number): NumberedCells {
  const [indices, cells]: [number[], Uint8Array[]] = [[], []];
  let last = Number.NEGATIVE_INFINITY;
  let isOrdered = true;
  numbered.forEach((cell, index) => {
    isOrdered &&= index > last;
    last = index;
    if (indices.length === count) return;
    indices.push(index);
    cells.push(cell);
  });
  if (isOrdered) return { indices, cells };
  const sorted = [...numbered].sort(([a], [b]) => a - b).slice(0, count);
  return { indices: sorted.map(([index]) => index), cells: sorted.map(([, cell]) => cell) };
}

const sameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, position) => value === b[position]);

function checkLengths(sources: readonly Uint8Array[], targets: readonly Uint8Array[]): void {
  const length = sources[0]?.length ?? 0;
  const differs = (cell: Uint8Array): boolean => cell.length !== length;
  if (length === 0 || length % UNIT_BYTES !== 0 || sources.some(differs) || targets.some(differs)) {
    throw new PpioError("BAD_FORMAT", `The cells of a segment are equally long, a positive multiple of ${UNIT_BYTES} bytes.`);
  }
}
