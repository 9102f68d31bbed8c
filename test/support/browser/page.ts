/** What the tests and the bench ask of a page: the golden vectors, and the kernels held to their plain twins. Bundled by `chromium.ts`. */
import { createErasureCoder, createPairHasher, hasSimd } from "@ppio/core";
import { importAesKey } from "../../../client/src/aes/aes.browser.ts";
import { importAesKey as importPlain } from "../../../client/src/aes/aes.plain.ts";
import type { AesKey } from "../../../client/src/aes/aes.ts";
import { vectors } from "../vectors.ts";

/** Enough to make an erasure program compile a kernel of its own. */
const WARM_BYTES = 1 << 20;
const CODES = [
  { k: 2, n: 4 },
  { k: 10, n: 16 },
  { k: 20, n: 40 },
];
const CELL_BYTES = 4_096;
const PAIRS_BYTES = 1 << 20;
const RANDOM_BYTES_MAX = 65_536;

function random(length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += RANDOM_BYTES_MAX) crypto.getRandomValues(out.subarray(at, at + RANDOM_BYTES_MAX));
  return out;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);

function expectSame(a: Uint8Array | undefined, b: Uint8Array | undefined, what: string): void {
  if (a === undefined || b === undefined || !same(a, b)) throw new Error(`${what} differs from its plain twin.`);
}

function checkHasher(): void {
  const [ours, plain] = [createPairHasher(), createPairHasher({ kernel: "plain" })];
  for (const pairs of [1, 2, 3, 4, 5, 63, 2_049]) {
    const input = random(64 * pairs);
    const outputs = [ours, plain].map((hash) => {
      const output = new Uint8Array(32 * pairs);
      hash(input, output);
      return output;
    });
    expectSame(outputs[0], outputs[1], `SHA-256 of ${pairs} pairs`);
  }
}

function checkErasure(): void {
  for (const { k, n } of CODES) {
    const data = Array.from({ length: k }, () => random(CELL_BYTES));
    const empty = (): Uint8Array[] => Array.from({ length: n - k }, () => new Uint8Array(CELL_BYTES));
    const [coded, expected] = [empty(), empty()];
    createErasureCoder({ k, n }, { kernel: "plain" }).encode(data, expected);
    const coder = createErasureCoder({ k, n });
    for (let run = 0; run <= WARM_BYTES / (k * CELL_BYTES) + 1; run += 1) coder.encode(data, coded);
    for (const [at, cell] of coded.entries()) expectSame(cell, expected[at], `coded cell ${at} of ${k}/${n}`);
    const have = new Map([...data, ...coded].map((cell, index) => [index, cell] as const).slice(n - k));
    const want = new Map(Array.from({ length: n - k }, (_, index) => [index, new Uint8Array(CELL_BYTES)] as const));
    coder.reconstruct(have, want);
    for (const [index, cell] of want) expectSame(cell, data[index] ?? coded[index - k], `rebuilt cell ${index} of ${k}/${n}`);
  }
}

async function checkAes(): Promise<void> {
  for (const length of [0, 1, 16, 4_080, 65_520]) {
    const [key, nonce, associatedData, plaintext] = [random(32), random(12), random(51), random(length)];
    const seal = async (by: AesKey): Promise<Uint8Array> => {
      const sealed = new Uint8Array(length + 16);
      await by.seal(nonce, associatedData, plaintext, (piece, at) => sealed.set(piece, at));
      return sealed;
    };
    const stream = async (by: AesKey, offset: number): Promise<Uint8Array> => by.stream(offset, plaintext, (output) => output);
    const [ours, plain] = [importAesKey(key), importPlain(key)];
    const sealed = await seal(ours);
    expectSame(sealed, await seal(plain), `AES-GCM of ${length} bytes`);
    expectSame(await ours.open(nonce, associatedData, sealed), plaintext, `opening ${length} bytes`);
    for (const offset of [0, 16, 4_101]) {
      expectSame(await stream(ours, offset), await stream(plain, offset), `AES-CTR from ${offset}`);
    }
  }
}

/** GB/s of hashing pairs, medians of short turns that alternate. */
function hashRates(): { readonly kernel: number; readonly plain: number } {
  const input = random(PAIRS_BYTES);
  const output = new Uint8Array(PAIRS_BYTES / 2);
  const contestants = [createPairHasher(), createPairHasher({ kernel: "plain" })];
  const rates = contestants.map((): number[] => []);
  for (let turn = 0; turn < 21; turn += 1) {
    for (const [at, hash] of contestants.entries()) {
      const start = performance.now();
      hash(input, output);
      rates[at]?.push(PAIRS_BYTES / (performance.now() - start) / 1e6);
    }
  }
  const [kernel = 0, plain = 0] = rates.map((values) => values.sort((a, b) => a - b)[values.length >> 1]);
  return { kernel, plain };
}

const page = {
  facts: () => ({ simd: hasSimd(), webCrypto: globalThis.crypto.subtle !== undefined, browserBackends: importAesKey !== importPlain }),
  vector: async (name: string): Promise<string> => JSON.stringify(await vectors[name]?.()),
  checkKernels: async (): Promise<string> => {
    checkHasher();
    checkErasure();
    await checkAes();
    return "equal";
  },
  hashRates,
};

export type PageApi = typeof page;
Object.assign(globalThis, { ppio: page });
