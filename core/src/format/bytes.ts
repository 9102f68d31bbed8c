/** Writing and strictly reading big-endian binary formats. A reader refuses what is cut short, out of range or left over. */
import { PpioError } from "../errors.ts";

const TEXT_ENCODER = new TextEncoder();
const TEXT_DECODER = new TextDecoder("utf-8", { fatal: true });

export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  #reserve(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return at;
  }

  #view(): DataView {
    return new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view().setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view().setUint32(at, value);
    return this;
  }

  u64(value: number): this {
    const at = this.#reserve(8);
    this.#view().setBigUint64(at, BigInt(value));
    return this;
  }

  fixed(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** u32 length, then the bytes. */
  blob(bytes: Uint8Array): this {
    return this.u32(bytes.length).fixed(bytes);
  }

  /** u16 length, then UTF-8. */
  text(value: string): this {
    const bytes = TEXT_ENCODER.encode(value);
    if (bytes.length > 0xffff) throw new PpioError("TOO_LARGE", "A name is longer than 65,535 bytes; choose a shorter one.");
    return this.u16(bytes.length).fixed(bytes);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  /** @param what names the format in errors */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  fail(reason: string): PpioError {
    return new PpioError("BAD_FORMAT", `The ${this.#what} is malformed: ${reason}.`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw this.fail("it is cut short");
    this.#at += length;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail("a number is too large");
    return Number(value);
  }

  fixed(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }

  blob(): Uint8Array {
    return this.fixed(this.u32());
  }

  text(): string {
    const bytes = this.fixed(this.u16());
    try {
      return TEXT_DECODER.decode(bytes);
    } catch {
      throw this.fail("a name is not UTF-8");
    }
  }

  version(expected: number): void {
    const version = this.u8();
    if (version !== expected) throw this.fail(`version ${version} is not known, only ${expected}`);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw this.fail("bytes are left over");
  }
}
