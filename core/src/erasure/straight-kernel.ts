/** An XOR program as a WebAssembly function `run(sources, targets, from, to)`: a loop over units, its body without a branch. */

import {
  ADD,
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
  ZERO_V128,
} from "../wasm/emitter.ts";
import { ZERO } from "./pair-search.ts";
import { PLANES, type XorProgram } from "./xor-program.ts";

const [SOURCES, TARGETS, OFFSET, END, ADDRESS, FIRST_VALUE] = [0, 1, 2, 3, 4, 5];
const PLANE_BYTES = 16;
const UNIT_BYTES = PLANES * PLANE_BYTES;

/**
 * `sources` and `targets` are addresses of tables of addresses of cells, [from, to) the offsets in each cell, multiples of 128,
 * from < to.
 */
export function straightKernel({ sources, steps, outputs }: XorProgram): Uint8Array<ArrayBuffer> {
  const body: number[] = [];
  const loaded = new Set<number>();
  const emit = (...parts: readonly (readonly number[])[]): void => {
    for (const part of parts) for (const byte of part) body.push(byte);
  };
  const local = (value: number): number => FIRST_VALUE + value;
  const load = (value: number): void => {
    const cell = Math.floor(value / PLANES);
    if (value === ZERO || cell >= sources || loaded.has(cell)) return;
    loaded.add(cell);
    emit(get(SOURCES), loadI32(4 * cell), get(OFFSET), ADD, set(ADDRESS));
    for (let plane = 0; plane < PLANES; plane += 1) emit(get(ADDRESS), loadV128(PLANE_BYTES * plane), set(local(cell * PLANES + plane)));
  };
  const store = (target: number): void => {
    for (const value of outputs.slice(target * PLANES, (target + 1) * PLANES)) load(value);
    emit(get(TARGETS), loadI32(4 * target), get(OFFSET), ADD, set(ADDRESS));
    for (let plane = 0; plane < PLANES; plane += 1) {
      const value = outputs[target * PLANES + plane] ?? ZERO;
      emit(get(ADDRESS), value === ZERO ? ZERO_V128 : get(local(value)), storeV128(PLANE_BYTES * plane));
    }
  };

  // A target is stored as soon as its last plane is there, so that its values die.
  const storedAfter = new Map<number, number[]>();
  for (let target = 0; target < outputs.length / PLANES; target += 1) {
    const last = Math.max(...outputs.slice(target * PLANES, (target + 1) * PLANES));
    if (last < PLANES * sources) store(target);
    else storedAfter.set(last, [...(storedAfter.get(last) ?? []), target]);
  }
  steps.forEach(([a, b], step) => {
    const value = PLANES * sources + step;
    load(a);
    load(b);
    emit(get(local(a)), get(local(b)), XOR_V128, set(local(value)));
    for (const target of storedAfter.get(value) ?? []) store(target);
  });
  emit(get(OFFSET), i32(UNIT_BYTES), ADD, tee(OFFSET), get(END), LESS_UNSIGNED);
  return kernelModule({ params: 4, i32Locals: 1, v128Locals: PLANES * sources + steps.length, body: repeat(body) });
}
