/** SHA-256 over pairs in a browser. Same bytes as `sha.node.ts`. */
import { createPairHasher, type PairHasher } from "./pair-hasher.ts";

export const hashPairs: PairHasher = createPairHasher();
