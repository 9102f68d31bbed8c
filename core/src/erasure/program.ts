/** A matrix made ready to run: on the plain kernel, or on WebAssembly's tables first and a kernel of its own once that pays. */
import { compileProgram, runProgram } from "./plane-kernel.ts";
import type { Kernel, SimdMemory } from "./simd-memory.ts";
import { straightKernel } from "./straight-kernel.ts";
import { tableIndex } from "./table-kernel.ts";
import type { XorProgram } from "./xor-program.ts";

/** After as many bytes a kernel's compilation is paid back. */
const COMPILE_AFTER_BYTES = 1 << 20;

export type Program = (sources: readonly Uint8Array[], targets: readonly Uint8Array[]) => void;

export function plainProgram(matrix: Uint8Array, sources: number): Program {
  const program = compileProgram(matrix, sources);
  return (from, to) => runProgram(program, from, to);
}

/** @param straight the same as an XOR program, when a kernel of its own is faster than tables */
export function simdProgram(memory: SimdMemory, matrix: Uint8Array, sources: number, straight?: () => XorProgram): Program {
  const index = tableIndex(matrix, sources);
  let kernel: Kernel | undefined;
  let coded = 0;
  return (from, to) => {
    if (straight !== undefined && kernel === undefined && coded >= COMPILE_AFTER_BYTES)
      kernel = memory.instantiate(straightKernel(straight()));
    coded += sources * (from[0]?.length ?? 0);
    memory.run(index, from, to, kernel);
  };
}
