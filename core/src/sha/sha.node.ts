/** SHA-256 over pairs, many at once: the native build of `@chainsafe/hashtree`, which uses the processor's SHA instructions. */
import { hashInto } from "@chainsafe/hashtree";

/** Hashes each 64-byte piece of `input` to 32 bytes of `output`. */
export function hashPairs(input: Uint8Array, output: Uint8Array): void {
  if (input.length > 0) hashInto(input, output);
}
