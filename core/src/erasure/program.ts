/** A matrix made ready to run: on the plain kernel, or on WebAssembly's tables first and on something faster once that pays. */
import { INDEX_AT, SOURCES_AT, TARGETS_AT } from "./memory-map.ts";
import { compileProgram, runProgram } from "./plane-kernel.ts";
import type { Coding, SimdMemory } from "./simd-memory.ts";
import { straightKernel } from "./straight-kernel.ts";
import { tableIndex, tableKernel } from "./table-kernel.ts";
import { PLANES, type XorProgram } from "./xor-program.ts";

export type Program = (sources: readonly Uint8Array[], targets: readonly Uint8Array[]) => void;

/** What is faster than tables, but costs time to make. */
export interface FasterCoding {
  /** Made after as many bytes of data. */
  readonly afterBytes: number;
  /** Bytes of data coded so far; programs that share what is made share it. */
  readonly coded: { bytes: number };
  make(memory: SimdMemory): Coding;
}

export function plainProgram(matrix: Uint8Array, sources: number): Program {
  const program = compileProgram(matrix, sources);
  return (from, to) => runProgram(program, from, to);
}

export function simdProgram(memory: SimdMemory, matrix: Uint8Array, sources: number, faster?: FasterCoding): Program {
  let coding = tableCoding(memory, matrix, sources);
  let waiting = faster;
  return (from, to) => {
    if (waiting !== undefined && waiting.coded.bytes >= waiting.afterBytes) {
      coding = waiting.make(memory);
      waiting = undefined;
    }
    if (waiting !== undefined) waiting.coded.bytes += sources * (from[0]?.length ?? 0);
    memory.run(coding, from, to);
  };
}

function tableCoding(memory: SimdMemory, matrix: Uint8Array, sources: number): Coding {
  const kernel = memory.shared("tables", tableKernel);
  const index = tableIndex(matrix, sources);
  const planes = (PLANES * matrix.length) / sources;
  return (bytes) => {
    memory.load(INDEX_AT, index);
    kernel(SOURCES_AT, sources, INDEX_AT, planes, TARGETS_AT, 0, bytes);
  };
}

export function straightCoding(memory: SimdMemory, program: XorProgram): Coding {
  const kernel = memory.instantiate(straightKernel(program));
  return (bytes) => kernel(SOURCES_AT, TARGETS_AT, 0, bytes);
}
