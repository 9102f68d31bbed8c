/**
 * Multiplies bit-sliced cells by a matrix, with XOR alone. A unit is 128 bytes: eight planes of 16 bytes, plane p holding bit p of
 * 128 symbols. For every source unit the sums of all subsets of its lower and of its upper four planes are tabulated once ("four
 * Russians"); each target plane then takes two table entries per source.
 */
import { bitColumns } from "./field.ts";

const PLANES = 8;
const WORDS_PER_PLANE = 4;
const WORDS_PER_UNIT = PLANES * WORDS_PER_PLANE;
const SUBSETS = 16;
/** Words of the tables of one source: two halves of 16 subsets. */
const TABLE_WORDS = 2 * SUBSETS * WORDS_PER_PLANE;

export interface PlaneProgram {
  readonly sources: number;
  readonly targets: number;
  /** For each target plane, per source two word offsets into the tables. */
  readonly offsets: Uint32Array;
}

/** Compiles `targets` x `sources` standard coefficients. */
export function compileProgram(matrix: Uint8Array, sources: number): PlaneProgram {
  const targets = matrix.length / sources;
  const offsets = new Uint32Array(targets * PLANES * sources * 2);
  let at = 0;
  for (let target = 0; target < targets; target += 1) {
    const columns = Array.from({ length: sources }, (_, source) => bitColumns(matrix[target * sources + source] ?? 0));
    for (let plane = 0; plane < PLANES; plane += 1) {
      columns.forEach((column, source) => {
        let subset = 0;
        for (let q = 0; q < PLANES; q += 1) subset |= (((column[q] ?? 0) >> plane) & 1) << q;
        offsets[at] = source * TABLE_WORDS + (subset & 15) * WORDS_PER_PLANE;
        offsets[at + 1] = source * TABLE_WORDS + (SUBSETS + (subset >> 4)) * WORDS_PER_PLANE;
        at += 2;
      });
    }
  }
  return { sources, targets, offsets };
}

/** Fills the tables of one source from the unit at word `from`. */
function fillTables(tables: Uint32Array, base: number, source: Uint32Array, from: number): void {
  for (let half = 0; half < 2; half += 1) {
    const table = base + half * SUBSETS * WORDS_PER_PLANE;
    for (let subset = 1; subset < SUBSETS; subset += 1) {
      const rest = subset & (subset - 1);
      const lowest = 31 - Math.clz32(subset ^ rest);
      const plane = from + (half * 4 + lowest) * WORDS_PER_PLANE;
      const entry = table + subset * WORDS_PER_PLANE;
      const smaller = table + rest * WORDS_PER_PLANE;
      for (let word = 0; word < WORDS_PER_PLANE; word += 1) {
        tables[entry + word] = (tables[smaller + word] as number) ^ (source[plane + word] as number);
      }
    }
  }
}

/** 32-bit view of a cell; a copy when the bytes are not aligned. */
function words(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/**
 * targets = matrix x sources.
 * @param sources cells of equal length, a multiple of 128
 * @param targets cells of the same length, overwritten
 */
export function runProgram(program: PlaneProgram, sources: readonly Uint8Array[], targets: readonly Uint8Array[]): void {
  const { offsets } = program;
  const input = sources.map(words);
  const output = targets.map((target) => (target.byteOffset % 4 === 0 ? words(target) : new Uint32Array(target.byteLength / 4)));
  const tables = new Uint32Array(program.sources * TABLE_WORDS);
  const terms = 2 * program.sources;
  const lengthWords = input[0]?.length ?? 0;
  for (let unit = 0; unit < lengthWords; unit += WORDS_PER_UNIT) {
    input.forEach((source, index) => {
      fillTables(tables, index * TABLE_WORDS, source, unit);
    });
    let at = 0;
    for (const target of output) {
      for (let plane = 0; plane < WORDS_PER_UNIT; plane += WORDS_PER_PLANE) {
        let w0 = 0;
        let w1 = 0;
        let w2 = 0;
        let w3 = 0;
        for (const end = at + terms; at < end; at += 1) {
          const entry = offsets[at] as number;
          w0 ^= tables[entry] as number;
          w1 ^= tables[entry + 1] as number;
          w2 ^= tables[entry + 2] as number;
          w3 ^= tables[entry + 3] as number;
        }
        const to = unit + plane;
        target[to] = w0;
        target[to + 1] = w1;
        target[to + 2] = w2;
        target[to + 3] = w3;
      }
    }
  }
  copyUnaligned(output, targets);
}

function copyUnaligned(output: readonly Uint32Array[], targets: readonly Uint8Array[]): void {
  targets.forEach((target, index) => {
    const result = output[index];
    if (result !== undefined && result.buffer !== target.buffer)
      target.set(new Uint8Array(result.buffer, result.byteOffset, result.byteLength));
  });
}
