export * from "./bytes.ts";
export * from "./headers.ts";
export * from "./index-file.ts";
export * from "./manifest.ts";
export * from "./placement.ts";
