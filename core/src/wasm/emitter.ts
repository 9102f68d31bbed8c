/**
 * The few WebAssembly instructions that the coding and hashing kernels use, as bytes, and a module around one function
 * (https://webassembly.github.io/spec/core/binary/). Kernels are generated at run time, see docs/adr/0009-erasure-kernels.md.
 */
export type Code = readonly number[];

export const I32 = 0x7f;
export const V128 = 0x7b;

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128 of a non-negative number: bit 6 of the last byte is its sign, so it stays clear. */
function constant(value: number): number[] {
  const bytes = unsigned(value);
  const last = bytes.length - 1;
  if (((bytes[last] ?? 0) & 0x40) === 0) return bytes;
  return [...bytes.slice(0, last), (bytes[last] ?? 0) | 0x80, 0];
}

export const get = (local: number): number[] => [0x20, ...unsigned(local)];
export const set = (local: number): number[] => [0x21, ...unsigned(local)];
export const tee = (local: number): number[] => [0x22, ...unsigned(local)];
export const i32 = (value: number): number[] => [0x41, ...constant(value)];
export const loadI32 = (offset = 0): number[] => [0x28, 2, ...unsigned(offset)];
export const loadU16 = (offset = 0): number[] => [0x2f, 1, ...unsigned(offset)];
export const loadV128 = (offset = 0): number[] => [0xfd, 0x00, 0, ...unsigned(offset)];
export const storeV128 = (offset = 0): number[] => [0xfd, 0x0b, 0, ...unsigned(offset)];
/** The 32-bit word at an address, in all four lanes. */
export const splatI32 = (offset = 0): number[] => [0xfd, 0x09, 2, ...unsigned(offset)];
/** Bytes of two vectors, chosen by place: 0 to 15 in the first, 16 to 31 in the second. */
export const shuffle = (places: Code): number[] => [0xfd, 0x0d, ...places];
export const ZERO_V128: Code = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
export const AND_V128: Code = [0xfd, 0x4e];
export const OR_V128: Code = [0xfd, 0x50];
export const XOR_V128: Code = [0xfd, 0x51];
export const SHIFT_LEFT_I32X4: Code = [0xfd, 0xab, 0x01];
export const SHIFT_RIGHT_I32X4: Code = [0xfd, 0xad, 0x01];
export const ADD_I32X4: Code = [0xfd, 0xae, 0x01];
export const ADD: Code = [0x6a];
export const AND: Code = [0x71];
export const SHIFT_LEFT: Code = [0x74];
export const SHIFT_RIGHT: Code = [0x76];
export const LESS_UNSIGNED: Code = [0x49];
/** The first operand when the third is not zero, else the second. */
export const SELECT: Code = [0x1b];

/** Runs the body at least once and again while it leaves a non-zero i32. */
export const repeat = (body: Code): number[] => [0x03, 0x40, ...body, 0x0d, 0, 0x0b];

export const BLOCK: Code = [0x02, 0x40];
export const END_BLOCK: Code = [0x0b];
/** Leaves the block that is `depth` blocks further out. */
export const branch = (depth: number): number[] => [0x0c, ...unsigned(depth)];
/** Leaves the block whose depth an i32 chooses among these, the last of them also for any higher number. */
export const branchTable = (depths: readonly number[]): number[] => [
  ...[0x0e, ...unsigned(depths.length - 1)],
  ...depths.flatMap(unsigned),
];

const section = (id: number, body: Code): number[] => [id, ...unsigned(body.length), ...body];
const name = (text: string): number[] => [text.length, ...[...text].map((letter) => letter.charCodeAt(0))];

export interface KernelFunction {
  readonly params: number;
  readonly i32Locals: number;
  readonly v128Locals: number;
  readonly body: Code;
}

/** A module that imports `e.m`, a memory, and exports `run`, which takes i32 parameters and returns nothing. */
export function kernelModule({ params, i32Locals, v128Locals, body }: KernelFunction): Uint8Array<ArrayBuffer> {
  const locals = [2, ...unsigned(i32Locals), I32, ...unsigned(v128Locals), V128];
  const size = locals.length + body.length + 1;
  const head = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, params, ...new Array<number>(params).fill(I32), 0]),
    ...section(2, [1, ...name("e"), ...name("m"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name("run"), 0, 0]),
  ];
  const code = [1, ...unsigned(size)];
  const lead = [...head, 10, ...unsigned(code.length + size), ...code, ...locals];
  const bytes = new Uint8Array(lead.length + body.length + 1);
  bytes.set(lead);
  bytes.set(body, lead.length);
  bytes[bytes.length - 1] = 0x0b;
  return bytes;
}
