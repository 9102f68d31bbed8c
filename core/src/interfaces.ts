/** Typed factories of the contracts' interfaces alone: ABIs without any bytecode, for whoever only calls. */
export * from "../../typechain-types/factories/interfaces/index.ts";
export type * from "../../typechain-types/interfaces/index.ts";
