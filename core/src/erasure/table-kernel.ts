/**
 * Any matrix over any cells, with one WebAssembly function for all: `run(sources, count, index, planes, targets, from, to)`. As in the
 * plain kernel the sums of all subsets of four planes are tabulated; here for two units side by side, so that an index is read once for
 * both. The index names entries of 32 bytes by their number in all tables.
 */

import {
  ADD,
  AND,
  get,
  i32,
  kernelModule,
  LESS_UNSIGNED,
  loadI32,
  loadU16,
  loadV128,
  repeat,
  SELECT,
  SHIFT_LEFT,
  SHIFT_RIGHT,
  set,
  storeV128,
  tee,
  XOR_V128,
  ZERO_V128,
} from "../wasm/emitter.ts";
import { TABLE_BYTES, TABLES_AT } from "./memory-map.ts";
import { PLANES, planeSubsets } from "./xor-program.ts";

const [SOURCES, COUNT, INDEX, ROWS, TARGETS, OFFSET, END] = [0, 1, 2, 3, 4, 5, 6];
const [SECOND, AT, TABLE, ROW, ENTRY, SUM, CELL] = [7, 8, 9, 10, 11, 12, 13];
const SUMS = 14;
const [FIRST_UNIT, SECOND_UNIT] = [SUMS + 16, SUMS + 17];
const UNIT_BYTES = 128;
const ENTRY_BITS = 5;
const ENTRY_BYTES = 1 << ENTRY_BITS;
const HALF_BYTES = TABLE_BYTES / 2;
const ENTRIES = TABLE_BYTES / ENTRY_BYTES;
/** Sources per turn of the inner loop; an index row is filled up to a multiple of it with empty subsets. */
const UNROLL = 4;

/** Address of a plane of the unit at OFFSET or, for the second unit, at SECOND, in the cell that `table` names at position `at`. */
const unitAddress = (table: number, at: number, unit: number): number[] => [
  ...[...get(table), ...get(at), ...ADD, ...loadI32(), ...get(unit), ...ADD],
];

function fillTables(): number[] {
  const code: number[] = [];
  for (const unit of [0, 1]) {
    code.push(...unitAddress(SOURCES, AT, unit === 0 ? OFFSET : SECOND), ...set(CELL));
    for (const half of [0, 1]) {
      for (let subset = 0; subset < 16; subset += 1) {
        const rest = subset & (subset - 1);
        const lowest = 31 - Math.clz32(subset ^ rest);
        const sum =
          subset === 0
            ? ZERO_V128
            : rest === 0
              ? [...get(CELL), ...loadV128(16 * (4 * half + lowest))]
              : [...get(SUMS + rest), ...get(SUMS + (subset ^ rest)), ...XOR_V128];
        const place = HALF_BYTES * half + ENTRY_BYTES * subset + 16 * unit;
        code.push(...sum, ...set(SUMS + subset), ...get(TABLE), ...get(SUMS + subset), ...storeV128(TABLES_AT + place));
      }
    }
  }
  return code;
}

function addSource(position: number): number[] {
  const take = (sum: number, offset: number): number[] => [
    ...get(sum),
    ...get(SUM),
    ...loadV128(TABLES_AT + offset),
    ...XOR_V128,
    ...set(sum),
  ];
  return [0, 1].flatMap((half) => [
    ...[...get(ENTRY), ...loadU16(4 * position + 2 * half), ...i32(ENTRY_BITS), ...SHIFT_LEFT, ...set(SUM)],
    ...take(FIRST_UNIT, 0),
    ...take(SECOND_UNIT, 16),
  ]);
}

export function tableKernel(): Uint8Array<ArrayBuffer> {
  const loop = (pointer: number, step: number, limit: readonly number[]): number[] => [
    ...[...get(pointer), ...i32(step), ...ADD, ...tee(pointer), ...limit, ...LESS_UNSIGNED],
  ];
  const scaled = (local: number, bits: number): number[] => [...get(local), ...i32(bits), ...SHIFT_LEFT];
  const store = (unit: number, sum: number): number[] => [
    ...[...get(TARGETS), ...get(ROW), ...i32(3), ...SHIFT_RIGHT, ...i32(2), ...SHIFT_LEFT, ...ADD, ...loadI32(), ...get(unit), ...ADD],
    ...[...get(ROW), ...i32(7), ...AND, ...i32(4), ...SHIFT_LEFT, ...ADD, ...get(sum), ...storeV128()],
  ];
  const body = repeat([
    // The second unit of an odd last pair is the first once more.
    ...[...get(OFFSET), ...i32(UNIT_BYTES), ...ADD, ...tee(SECOND), ...get(OFFSET)],
    ...[...get(SECOND), ...get(END), ...LESS_UNSIGNED, ...SELECT, ...set(SECOND)],
    ...[...i32(0), ...set(TABLE), ...i32(0), ...set(AT)],
    ...repeat([...fillTables(), ...get(TABLE), ...i32(TABLE_BYTES), ...ADD, ...set(TABLE), ...loop(AT, 4, scaled(COUNT, 2))]),
    ...[...get(INDEX), ...set(ENTRY), ...i32(0), ...set(ROW)],
    ...repeat([
      ...[...ZERO_V128, ...set(FIRST_UNIT), ...ZERO_V128, ...set(SECOND_UNIT)],
      ...[...i32(0), ...set(AT)],
      ...repeat([
        ...Array.from({ length: UNROLL }, (_, position) => addSource(position)).flat(),
        ...[...get(ENTRY), ...i32(4 * UNROLL), ...ADD, ...set(ENTRY)],
        ...loop(AT, UNROLL, get(COUNT)),
      ]),
      ...store(OFFSET, FIRST_UNIT),
      ...store(SECOND, SECOND_UNIT),
      ...loop(ROW, 1, get(ROWS)),
    ]),
    ...loop(OFFSET, 2 * UNIT_BYTES, get(END)),
  ]);
  // Sums start at local 14: seven parameters and seven i32 locals come before.
  return kernelModule({ params: 7, i32Locals: 7, v128Locals: 18, body });
}

/** The index of a matrix: per target plane two entries for each source. */
export function tableIndex(matrix: Uint8Array, sources: number): Uint16Array {
  const width = Math.ceil(sources / UNROLL) * UNROLL;
  const targets = matrix.length / sources;
  const index = new Uint16Array(2 * targets * PLANES * width);
  for (let target = 0; target < targets; target += 1) {
    for (let source = 0; source < sources; source += 1) {
      planeSubsets(matrix[target * sources + source] ?? 0).forEach((subset, plane) => {
        const at = 2 * ((target * PLANES + plane) * width + source);
        index[at] = ENTRIES * source + (subset & 15);
        index[at + 1] = ENTRIES * source + ENTRIES / 2 + (subset >> 4);
      });
    }
  }
  return index;
}
