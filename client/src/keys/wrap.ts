/** Small secrets under a key: content keys under path keys, heads under listing keys, the application secret under the master. */

import { gcm } from "@noble/ciphers/webcrypto.js";
import { PpioError } from "@ppio/core";
import { deriveKey } from "./derive.ts";

const NONCE_BYTES = 12;
const SALT_BYTES = 32;

/** nonce 12 | ciphertext | tag 16, AES-256-GCM. The nonce is random: a wrapping key wraps few keys. */
export async function wrapKey(
  wrapping: Uint8Array,
  secret: Uint8Array,
  context: Uint8Array,
  random: (n: number) => Uint8Array,
): Promise<Uint8Array> {
  const nonce = random(NONCE_BYTES);
  const sealed = await gcm(wrapping, nonce, context).encrypt(secret);
  const out = new Uint8Array(NONCE_BYTES + sealed.length);
  out.set(nonce);
  out.set(sealed, NONCE_BYTES);
  return out;
}

/** @throws WRONG_KEY */
export async function unwrapKey(wrapping: Uint8Array, wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
  return decrypt(wrapping, wrapped.subarray(0, NONCE_BYTES), wrapped.subarray(NONCE_BYTES), context);
}

/** salt 32 | ciphertext | tag 16: a fresh key for every sealing, so that the nonce may be zero. */
export async function sealSmall(
  key: Uint8Array,
  label: string,
  plaintext: Uint8Array,
  context: Uint8Array,
  random: (n: number) => Uint8Array,
): Promise<Uint8Array> {
  const salt = random(SALT_BYTES);
  const sealed = await gcm(deriveKey(key, salt, label), new Uint8Array(NONCE_BYTES), context).encrypt(plaintext);
  const out = new Uint8Array(SALT_BYTES + sealed.length);
  out.set(salt);
  out.set(sealed, SALT_BYTES);
  return out;
}

/** @throws WRONG_KEY */
export async function openSmall(key: Uint8Array, label: string, sealed: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
  const salt = sealed.subarray(0, SALT_BYTES);
  return decrypt(deriveKey(key, salt, label), new Uint8Array(NONCE_BYTES), sealed.subarray(SALT_BYTES), context);
}

async function decrypt(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
  try {
    return await gcm(key, nonce, context).decrypt(sealed);
  } catch (cause) {
    throw new PpioError("WRONG_KEY", "This key does not open the data; use the mnemonic that stored it.", { cause });
  }
}
