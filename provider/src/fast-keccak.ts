/** Keccak-256 as WebAssembly (docs/adr/0015): a provider hashes the roots of every answer, which takes plain JavaScript 18 times as long. */
import { keccak256 } from "ethers";
import hashWasm from "hash-wasm/dist/keccak.umd.min.js";

const keccak = await hashWasm.createKeccak(256);

/** From now on ethers hashes with it, in the whole process. */
export function useFastKeccak(): void {
  keccak256.register((bytes) => keccak.init().update(bytes).digest("binary"));
}
