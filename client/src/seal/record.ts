/**
 * Small things sealed whole, in the same two layers as frames (docs/protocol/seal.md): AES-256-GCM under a key of the user, then AES-256-CTR
 * under the developer's secret for the user. The salt is fresh for every sealing, so both layers count from zero.
 */

import { PpioError } from "@ppio/core/data";
import { importAesKey } from "#aes";
import { TAG_BYTES } from "../aes/aes.ts";
import { deriveKey } from "../keys/hkdf.ts";

const SALT_BYTES = 32;
const NONCE = new Uint8Array(12);

export interface RecordKeys {
  /** The user's, for this kind of record. */
  readonly key: Uint8Array;
  readonly applicationSecret: Uint8Array;
  /** What the record is bound to. */
  readonly context: Uint8Array;
}

function layers({ key, applicationSecret }: RecordKeys, salt: Uint8Array) {
  return {
    inner: importAesKey(deriveKey(key, salt, "ppio/v1/record/inner")),
    outer: importAesKey(deriveKey(applicationSecret, salt, "ppio/v1/record/outer")),
  };
}

/** salt 32 | outer(inner(plaintext) | tag 16). */
export async function sealRecord(keys: RecordKeys, plaintext: Uint8Array, random: (length: number) => Uint8Array): Promise<Uint8Array> {
  const salt = random(SALT_BYTES);
  const { inner, outer } = layers(keys, salt);
  const out = new Uint8Array(SALT_BYTES + plaintext.length + TAG_BYTES);
  out.set(salt);
  await inner.seal(NONCE, keys.context, plaintext, (piece, at) => outer.stream(at, piece, (bytes) => out.set(bytes, SALT_BYTES + at)));
  return out;
}

/** @throws WRONG_KEY */
export async function openRecord(keys: RecordKeys, sealed: Uint8Array): Promise<Uint8Array> {
  const { inner, outer } = layers(keys, sealed.subarray(0, SALT_BYTES));
  try {
    return await outer.stream(0, sealed.subarray(SALT_BYTES), (body) => inner.open(NONCE, keys.context, body));
  } catch (cause) {
    throw new PpioError("WRONG_KEY", "These keys do not open the data; use the mnemonic and the application secret that stored it.", {
      cause,
    });
  }
}
