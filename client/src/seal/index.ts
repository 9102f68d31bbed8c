export * from "./record.ts";
export * from "./sealer.ts";
