/** SHA-256 over pairs of 32 bytes, many at once, where there is no native build: the WebAssembly kernel, or plain JavaScript. */
import { sha256 } from "@noble/hashes/sha2.js";
import { hasSimd } from "../wasm/simd.ts";
import { LANES, pairKernel, TABLE_BYTES, TABLE_WORDS } from "./pair-kernel.ts";

/** Hashes each 64-byte piece of `input` to 32 bytes of `output`, which must not overlap it. */
export type PairHasher = (input: Uint8Array, output: Uint8Array) => void;

export interface PairHasherOptions {
  /** WebAssembly SIMD where the page may run it, or plain JavaScript; the bytes are the same. */
  readonly kernel?: "auto" | "plain";
}

const PAIR_BYTES = 64;
const GROUP_BYTES = LANES * PAIR_BYTES;
const PAGE_BYTES = 65_536;
/** Bytes that are copied in and hashed at a time: with their digests they stay in a small second-level cache. */
const WINDOW_BYTES = 131_072;
const INPUT_AT = Math.ceil(TABLE_BYTES / GROUP_BYTES) * GROUP_BYTES;
const OUTPUT_AT = INPUT_AT + WINDOW_BYTES;
const MEMORY_BYTES = OUTPUT_AT + WINDOW_BYTES / 2;

export function createPairHasher({ kernel = "auto" }: PairHasherOptions = {}): PairHasher {
  return kernel === "auto" && hasSimd() ? simdHasher() : hashPlain;
}

function hashPlain(input: Uint8Array, output: Uint8Array): void {
  for (let at = 0; at < input.length; at += PAIR_BYTES) output.set(sha256(input.subarray(at, at + PAIR_BYTES)), at >> 1);
}

function simdHasher(): PairHasher {
  const pages = Math.ceil(MEMORY_BYTES / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  new Uint32Array(memory.buffer).set(TABLE_WORDS);
  const run = new WebAssembly.Instance(new WebAssembly.Module(pairKernel()), { e: { m: memory } }).exports["run"] as (
    source: number,
    target: number,
    end: number,
  ) => void;
  const window = new Uint8Array(memory.buffer);
  return (input, output) => {
    for (let from = 0; from < input.length; from += WINDOW_BYTES) {
      const part = input.subarray(from, from + WINDOW_BYTES);
      window.set(part, INPUT_AT);
      // A last group of fewer than four is hashed with what lies behind it, and only its own digests are taken.
      run(INPUT_AT, OUTPUT_AT, INPUT_AT + part.length);
      output.set(window.subarray(OUTPUT_AT, OUTPUT_AT + part.length / 2), from / 2);
    }
  };
}
