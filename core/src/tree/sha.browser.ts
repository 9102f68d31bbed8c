/** SHA-256 over pairs in plain JavaScript, where there is no native build. Same bytes as `sha.node.ts`. */
import { sha256 } from "@noble/hashes/sha2.js";

/** Hashes each 64-byte piece of `input` to 32 bytes of `output`. */
export function hashPairs(input: Uint8Array, output: Uint8Array): void {
  for (let at = 0; at < input.length; at += 64) output.set(sha256(input.subarray(at, at + 64)), at >> 1);
}
