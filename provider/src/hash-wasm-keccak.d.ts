/** One algorithm of hash-wasm: its main file has twenty, and Node keeps that text twice. */
declare module "hash-wasm/dist/keccak.umd.min.js" {
  const algorithm: Pick<typeof import("hash-wasm"), "createKeccak">;
  export default algorithm;
}
