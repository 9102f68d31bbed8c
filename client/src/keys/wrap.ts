/** Content keys under path keys. */

import { PpioError } from "@ppio/core";
import { importAesKey } from "#aes";
import { TAG_BYTES } from "../aes/aes.ts";

const NONCE_BYTES = 12;

/** What a wrapped key or a listing is bound to: id 32 | version u64. */
export function keyContext(id: Uint8Array, version: number): Uint8Array {
  const out = new Uint8Array(40);
  out.set(id);
  new DataView(out.buffer).setBigUint64(32, BigInt(version));
  return out;
}

/** nonce 12 | ciphertext | tag 16, AES-256-GCM. The nonce is random: a wrapping key wraps few keys. */
export async function wrapKey(
  wrapping: Uint8Array,
  secret: Uint8Array,
  context: Uint8Array,
  random: (n: number) => Uint8Array,
): Promise<Uint8Array> {
  const nonce = random(NONCE_BYTES);
  const out = new Uint8Array(NONCE_BYTES + secret.length + TAG_BYTES);
  out.set(nonce);
  await importAesKey(wrapping).seal(nonce, context, secret, (piece, at) => out.set(piece, NONCE_BYTES + at));
  return out;
}

/** @throws WRONG_KEY */
export async function unwrapKey(wrapping: Uint8Array, wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
  try {
    return await importAesKey(wrapping).open(wrapped.subarray(0, NONCE_BYTES), context, wrapped.subarray(NONCE_BYTES));
  } catch (cause) {
    throw new PpioError("WRONG_KEY", "This key does not open the data; use the mnemonic that stored it.", { cause });
  }
}
