/**
 * AES-256 as the seal needs it (docs/protocol/seal.md). Every backend gives the same bytes; `#aes` in package.json chooses one. A
 * backend that has a synchronous AES answers at once, so that a worker seals without a turn of the event loop per frame.
 */

/** A promise only where the platform's AES is asynchronous. */
export type Awaitable<T> = T | Promise<T>;

export const TAG_BYTES = 16;
export const BLOCK_BYTES = 16;

/**
 * Every platform makes a buffer per result, so results are lent to a `take`, and a backend that can frees them when it is done. Nonces
 * and associated data may be written over as soon as a call has returned, other bytes once it is done.
 */
export interface AesKey {
  /**
   * GCM.
   * @param nonce 12 bytes, never used twice under one key
   * @param take gets the ciphertext and the tag of 16 bytes in order, in one piece or two, each with its place
   */
  seal(
    nonce: Uint8Array,
    associatedData: Uint8Array,
    plaintext: Uint8Array,
    take: (piece: Uint8Array, at: number) => Awaitable<void>,
  ): Awaitable<void>;
  /**
   * @param sealed ciphertext, then the tag; throws, or rejects, whatever the platform gives when the tag does not fit
   * @returns the plaintext, the caller's to keep
   */
  open(nonce: Uint8Array, associatedData: Uint8Array, sealed: Uint8Array): Awaitable<Uint8Array>;
  /** CTR: `input` under the keystream from byte `offset` on. The counter block is 0 u64 | block u64, from 0. */
  stream<T>(offset: number, input: Uint8Array, take: (output: Uint8Array) => Awaitable<T>): Awaitable<T>;
}

/** @param key 32 bytes */
export type ImportAesKey = (key: Uint8Array) => AesKey;

/** Counter block in which byte `offset` of the keystream lies. */
export function counterAt(offset: number): Uint8Array<ArrayBuffer> {
  const counter = new Uint8Array(BLOCK_BYTES);
  new DataView(counter.buffer).setBigUint64(8, BigInt(Math.floor(offset / BLOCK_BYTES)));
  return counter;
}

/** For backends that start at whole blocks: `input` behind as many bytes as its block has before `offset`. */
export function fromBlockStart(offset: number, input: Uint8Array): Uint8Array {
  const skipped = offset % BLOCK_BYTES;
  if (skipped === 0) return input;
  const padded = new Uint8Array(skipped + input.length);
  padded.set(input, skipped);
  return padded;
}

/** Goes on at once when it can. */
export function then<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Done when all are. */
export function all(work: readonly Awaitable<void>[]): Awaitable<void> {
  if (work.some((part) => part instanceof Promise)) return Promise.all(work).then(() => undefined);
}
