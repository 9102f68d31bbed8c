export * from "./derive.ts";
export * from "./wrap.ts";
