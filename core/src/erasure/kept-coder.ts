/** Coders that outlive what they were made for, so that kernels for losses that last are searched once for each thread. */
import { createErasureCoder, type ErasureCoder } from "./coder.ts";
import type { ErasureParams } from "./matrix.ts";

/** Each remembers losses, and with them megabytes at the most. */
const CODES_MAX = 2;

const kept: ErasureCoder[] = [];

/** This thread's coder of that code; those of the codes used last are kept. */
export function keptCoder({ k, n }: ErasureParams): ErasureCoder {
  const at = kept.findIndex((coder) => coder.k === k && coder.n === n);
  const [coder = createErasureCoder({ k, n })] = at < 0 ? [] : kept.splice(at, 1);
  kept.unshift(coder);
  kept.length = Math.min(kept.length, CODES_MAX);
  return coder;
}
