export * from "./keys/index.ts";
export * from "./seal/index.ts";
