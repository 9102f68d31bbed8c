/** The contracts' ABIs and typed factories, generated from `contracts/` by the build. */
export * from "../../typechain-types/index.ts";
