export { createErasureCoder, type ErasureCoder, type ErasureOptions } from "./coder.ts";
export {
  CANTOR_BASIS,
  inverse as fieldInverse,
  multiply as fieldMultiply,
  point as fieldPoint,
  storedToStandard,
  TOWER_BASIS,
} from "./field.ts";
export { keptCoder } from "./kept-coder.ts";
export { CELLS_MAX, checkParams, type ErasureParams, generatorMatrix } from "./matrix.ts";
export { SimdMemory } from "./simd-memory.ts";
