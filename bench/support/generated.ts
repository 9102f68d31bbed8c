/** Endless bytes from a seed that can be read from anywhere: AES-CTR's keystream. The same seed gives the same bytes. */
import { type Cipheriv, createCipheriv, createHash } from "node:crypto";

const BLOCK_BYTES = 16;

export class GeneratedBytes {
  readonly #key: Buffer;
  #stream: Cipheriv | undefined;
  #next = -1;

  constructor(seed = "ppio bench") {
    this.#key = createHash("sha256").update(seed).digest();
  }

  /** Bytes [offset, offset + length); going on where the last call ended costs no new cipher. */
  at(offset: number, length: number): Uint8Array {
    const skip = offset === this.#next ? 0 : offset % BLOCK_BYTES;
    if (this.#stream === undefined || offset !== this.#next) this.#stream = this.#cipherAt(Math.floor(offset / BLOCK_BYTES));
    this.#next = offset + length;
    return this.#stream.update(new Uint8Array(skip + length)).subarray(skip);
  }

  /** @throws when `bytes` are not those at `offset` */
  check(offset: number, bytes: Uint8Array): void {
    if (Buffer.compare(this.at(offset, bytes.length), bytes) !== 0) throw new Error(`Wrong bytes at ${offset}.`);
  }

  #cipherAt(block: number): Cipheriv {
    const counter = Buffer.alloc(BLOCK_BYTES);
    counter.writeBigUInt64BE(BigInt(block), BLOCK_BYTES - 8);
    return createCipheriv("aes-256-ctr", this.#key, counter);
  }
}
