export { createPairHasher, type PairHasher, type PairHasherOptions } from "./pair-hasher.ts";
export { pairKernel } from "./pair-kernel.ts";
