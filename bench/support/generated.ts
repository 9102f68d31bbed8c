/**
 * Endless bytes from a seed that can be read from anywhere: AES-CTR's keystream. The same seed gives the same bytes. What is made for them
 * is freed at once, so that a client whose memory is measured has none of it.
 */
import { type Cipheriv, createCipheriv, createHash } from "node:crypto";
import { freeLent } from "@ppio/core";

const BLOCK_BYTES = 16;
/** Of zeros, which become the keystream. */
const ZEROS = new Uint8Array(64 << 10);

export class GeneratedBytes {
  readonly #key: Buffer;
  #stream: Cipheriv | undefined;
  #next = -1;

  constructor(seed = "ppio bench") {
    this.#key = createHash("sha256").update(seed).digest();
  }

  /** Fills `target` with the bytes from `offset` on; going on where the last call ended costs no new cipher. */
  read(offset: number, target: Uint8Array): void {
    this.#each(offset, target.length, (some, at) => target.set(some, at));
  }

  /** @throws when `bytes` are not those at `offset` */
  check(offset: number, bytes: Uint8Array): void {
    this.#each(offset, bytes.length, (some, at) => {
      if (Buffer.compare(some, bytes.subarray(at, at + some.length)) !== 0) throw new Error(`Wrong bytes at ${offset + at}.`);
    });
  }

  #each(offset: number, length: number, take: (some: Uint8Array, at: number) => void): void {
    if (this.#stream === undefined || offset !== this.#next) this.#stream = this.#cipherAt(offset);
    this.#next = offset + length;
    for (let at = 0; at < length; at += ZEROS.length) {
      const some = this.#stream.update(ZEROS.subarray(0, Math.min(ZEROS.length, length - at)));
      take(some, at);
      freeLent(some);
    }
  }

  #cipherAt(offset: number): Cipheriv {
    const counter = Buffer.alloc(BLOCK_BYTES);
    counter.writeBigUInt64BE(BigInt(Math.floor(offset / BLOCK_BYTES)), BLOCK_BYTES - 8);
    const stream = createCipheriv("aes-256-ctr", this.#key, counter);
    stream.update(new Uint8Array(offset % BLOCK_BYTES));
    return stream;
  }
}
