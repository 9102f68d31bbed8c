export * from "./derive.ts";
export * from "./hkdf.ts";
export * from "./wrap.ts";
