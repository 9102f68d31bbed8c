/** HKDF-SHA256 (RFC 5869) with a text label as info. */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";

const KEY_BYTES = 32;

export function deriveKey(secret: Uint8Array, salt: Uint8Array, label: string, length = KEY_BYTES): Uint8Array {
  return hkdf(sha256, secret, salt, new TextEncoder().encode(label), length);
}
