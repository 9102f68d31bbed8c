export * from "./chain.ts";
export * from "./config.ts";
export * from "./files.ts";
export * from "./http.ts";
export * from "./lifecycle.ts";
export * from "./log.ts";
export * from "./tx-sender.ts";
