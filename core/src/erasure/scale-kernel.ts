/**
 * Products of cells with constants: `run(entries, end, sourceFrom, targetFrom, bytes)`. An entry is three words: where the address of
 * the cell to read stands, where that of the cell to write, and the constant less one. One function with a loop for each constant: so
 * the engine optimises all of them at once.
 */
import {
  ADD,
  BLOCK,
  branch,
  branchTable,
  END_BLOCK,
  get,
  i32,
  kernelModule,
  LESS_UNSIGNED,
  loadI32,
  loadV128,
  repeat,
  set,
  storeV128,
  tee,
  XOR_V128,
} from "../wasm/emitter.ts";
import { PLANES, shortProduct } from "./xor-program.ts";

const [ENTRY, END, SOURCE_FROM, TARGET_FROM, BYTES, SOURCE, TARGET, STOP, FIRST_VALUE] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const PLANE_BYTES = 16;
const UNIT_BYTES = PLANES * PLANE_BYTES;
const ENTRY_WORDS = 3;
const CONSTANTS = 255;

export const scaleEntry = (source: number, target: number, constant: number): number[] => [source, target, constant - 1];

/** Multiplies units from SOURCE to TARGET until STOP. */
function multiplyUnits(constant: number): number[] {
  const { steps, outputs } = shortProduct(constant);
  const planes = Array.from({ length: PLANES }, (_, plane) => plane);
  const value = (index: number): number => FIRST_VALUE + index;
  return repeat([
    ...planes.flatMap((plane) => [...get(SOURCE), ...loadV128(PLANE_BYTES * plane), ...set(value(plane))]),
    ...steps.flatMap(([a, b], step) => [...get(value(a)), ...get(value(b)), ...XOR_V128, ...set(value(PLANES + step))]),
    ...outputs.flatMap((output, plane) => [...get(TARGET), ...get(value(output)), ...storeV128(PLANE_BYTES * plane)]),
    ...[...get(TARGET), ...i32(UNIT_BYTES), ...ADD, ...set(TARGET)],
    ...[...get(SOURCE), ...i32(UNIT_BYTES), ...ADD, ...tee(SOURCE), ...get(STOP), ...LESS_UNSIGNED],
  ]);
}

export function scaleKernel(): Uint8Array<ArrayBuffer> {
  const labels = Array.from({ length: CONSTANTS }, (_, index) => index);
  // Block c ends where the loop of constant c begins; the outermost ends after all loops.
  const choice: number[] = [];
  for (let opened = 0; opened <= CONSTANTS; opened += 1) choice.push(...BLOCK);
  choice.push(...get(ENTRY), ...loadI32(8), ...branchTable(labels));
  let values = 0;
  for (let constant = 1; constant <= CONSTANTS; constant += 1) {
    values = Math.max(values, PLANES + shortProduct(constant).steps.length);
    choice.push(...END_BLOCK, ...multiplyUnits(constant), ...branch(CONSTANTS - constant));
  }
  choice.push(...END_BLOCK);
  const address = (word: number, from: number, to: number): number[] => [
    ...[...get(ENTRY), ...loadI32(4 * word), ...loadI32(), ...get(from), ...ADD, ...set(to)],
  ];
  const body = repeat([
    ...address(0, SOURCE_FROM, SOURCE),
    ...address(1, TARGET_FROM, TARGET),
    ...[...get(SOURCE), ...get(BYTES), ...ADD, ...set(STOP)],
    ...choice,
    ...[...get(ENTRY), ...i32(4 * ENTRY_WORDS), ...ADD, ...tee(ENTRY), ...get(END), ...LESS_UNSIGNED],
  ]);
  return kernelModule({ params: 5, i32Locals: 3, v128Locals: values, body });
}
