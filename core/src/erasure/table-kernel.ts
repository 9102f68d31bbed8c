/**
 * Any matrix over any cells, with one WebAssembly function for all: `run(sources, count, index, planes, targets, from, to, tables)`. As
 * in the plain kernel the sums of all subsets of four planes are tabulated; here for two units side by side, so that an index is read
 * once for both. An index entry holds both subsets, shifted to where an entry of 32 bytes starts.
 */
import { TABLE_BYTES } from "./memory-map.ts";
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
} from "./wasm-emitter.ts";
import { PLANES, planeSubsets } from "./xor-program.ts";

const [SOURCES, COUNT, INDEX, ROWS, TARGETS, OFFSET, END, TABLES] = [0, 1, 2, 3, 4, 5, 6, 7];
const [SECOND, AT, TABLE, ROW, ENTRY, LOW, HIGH, CELL] = [8, 9, 10, 11, 12, 13, 14, 15];
const SUMS = 16;
const [FIRST_UNIT, SECOND_UNIT] = [SUMS + 16, SUMS + 17];
const UNIT_BYTES = 128;
const ENTRY_BYTES = 32;
const HALF_BYTES = TABLE_BYTES / 2;
/** Sources per turn of the inner loop; an index row is filled up to a multiple of it with empty subsets. */
const UNROLL = 4;
const MASK = HALF_BYTES - ENTRY_BYTES;

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
        code.push(...sum, ...set(SUMS + subset), ...get(TABLE), ...get(SUMS + subset), ...storeV128(place));
      }
    }
  }
  return code;
}

function addSource(position: number): number[] {
  const at = position * TABLE_BYTES;
  const take = (sum: number, entry: number, offset: number): number[] => [
    ...[...get(sum), ...get(entry), ...loadV128(offset), ...XOR_V128, ...set(sum)],
  ];
  return [
    ...[...get(ENTRY), ...loadU16(2 * position), ...tee(HIGH), ...i32(MASK), ...AND, ...get(TABLE), ...ADD, ...set(LOW)],
    ...[...get(HIGH), ...i32(4), ...SHIFT_RIGHT, ...i32(MASK), ...AND, ...get(TABLE), ...ADD, ...set(HIGH)],
    ...take(FIRST_UNIT, LOW, at),
    ...take(SECOND_UNIT, LOW, at + 16),
    ...take(FIRST_UNIT, HIGH, at + HALF_BYTES),
    ...take(SECOND_UNIT, HIGH, at + HALF_BYTES + 16),
  ];
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
    ...[...get(TABLES), ...set(TABLE), ...i32(0), ...set(AT)],
    ...repeat([...fillTables(), ...get(TABLE), ...i32(TABLE_BYTES), ...ADD, ...set(TABLE), ...loop(AT, 4, scaled(COUNT, 2))]),
    ...[...get(INDEX), ...set(ENTRY), ...i32(0), ...set(ROW)],
    ...repeat([
      ...[...ZERO_V128, ...set(FIRST_UNIT), ...ZERO_V128, ...set(SECOND_UNIT)],
      ...[...get(TABLES), ...set(TABLE), ...i32(0), ...set(AT)],
      ...repeat([
        ...Array.from({ length: UNROLL }, (_, position) => addSource(position)).flat(),
        ...[...get(TABLE), ...i32(UNROLL * TABLE_BYTES), ...ADD, ...set(TABLE)],
        ...[...get(ENTRY), ...i32(2 * UNROLL), ...ADD, ...set(ENTRY)],
        ...loop(AT, UNROLL, get(COUNT)),
      ]),
      ...store(OFFSET, FIRST_UNIT),
      ...store(SECOND, SECOND_UNIT),
      ...loop(ROW, 1, get(ROWS)),
    ]),
    ...loop(OFFSET, 2 * UNIT_BYTES, get(END)),
  ]);
  // Sums start at local 16: eight parameters and eight i32 locals come before.
  return kernelModule({ params: 8, i32Locals: 8, v128Locals: 18, body });
}

/** The index of a matrix: per target plane one entry for each source. */
export function tableIndex(matrix: Uint8Array, sources: number): Uint16Array {
  const width = Math.ceil(sources / UNROLL) * UNROLL;
  const targets = matrix.length / sources;
  const index = new Uint16Array(targets * PLANES * width);
  for (let target = 0; target < targets; target += 1) {
    for (let source = 0; source < sources; source += 1) {
      planeSubsets(matrix[target * sources + source] ?? 0).forEach((subset, plane) => {
        const low = (subset & 15) * ENTRY_BYTES;
        const high = (subset >> 4) * ENTRY_BYTES;
        index[(target * PLANES + plane) * width + source] = low | (high << 4);
      });
    }
  }
  return index;
}
