/** The codes that the erasure benchmarks ask about, and a segment of random cells. */
import { randomFillSync } from "node:crypto";
import { SimdMemory } from "@ppio/core";

export const CELL_BYTES = 16_384;

export interface Segment {
  readonly memory: SimdMemory;
  readonly cells: readonly Uint8Array[];
}

/** n random cells, in the coder's memory or outside of it. */
export function randomSegment(n: number, inside: boolean): Segment {
  const memory = new SimdMemory(inside ? n * CELL_BYTES : 0);
  const cells = Array.from({ length: n }, () => randomFillSync(inside ? memory.allocate(CELL_BYTES) : new Uint8Array(CELL_BYTES)));
  return { memory, cells };
}
