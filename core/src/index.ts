export * from "./chain/address-book.ts";
export * from "./chain/challenge.ts";
export * from "./chain/typed-data.ts";
export * from "./erasure/index.ts";
export * from "./errors.ts";
export * from "./tree/index.ts";
export * from "./wire/answer.ts";
export * from "./wire/api.ts";
