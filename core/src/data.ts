/** The data path alone: what a worker or a page needs to seal, code, hash and read, without anything of the chain. */
export * from "./erasure/index.ts";
export * from "./errors.ts";
export * from "./format/index.ts";
export { freeLent } from "./lent-memory.ts";
export * from "./sha/index.ts";
export * from "./tree/index.ts";
export { hasSimd } from "./wasm/simd.ts";
