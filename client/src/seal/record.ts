/**
 * Small things sealed whole, in the same two layers as frames (docs/protocol/seal.md): AES-256-GCM under a key of the user, then AES-256-CTR
 * under the developer's secret for the user. The salt is fresh for every sealing, so both layers count from zero.
 */
import { ctr, gcm } from "@noble/ciphers/webcrypto.js";
import { PpioError } from "@ppio/core";
import { deriveKey } from "../keys/derive.ts";

const SALT_BYTES = 32;
const NONCE = new Uint8Array(12);
const COUNTER = new Uint8Array(16);

export interface RecordKeys {
  /** The user's, for this kind of record. */
  readonly key: Uint8Array;
  readonly applicationSecret: Uint8Array;
  /** What the record is bound to. */
  readonly context: Uint8Array;
}

function layers({ key, applicationSecret, context }: RecordKeys, salt: Uint8Array) {
  return {
    inner: gcm(deriveKey(key, salt, "ppio/v1/record/inner"), NONCE, context),
    outer: ctr(deriveKey(applicationSecret, salt, "ppio/v1/record/outer"), COUNTER),
  };
}

/** salt 32 | outer(inner(plaintext) | tag 16). */
export async function sealRecord(keys: RecordKeys, plaintext: Uint8Array, random: (length: number) => Uint8Array): Promise<Uint8Array> {
  const salt = random(SALT_BYTES);
  const { inner, outer } = layers(keys, salt);
  const sealed = await outer.encrypt(await inner.encrypt(plaintext));
  const out = new Uint8Array(SALT_BYTES + sealed.length);
  out.set(salt);
  out.set(sealed, SALT_BYTES);
  return out;
}

/** @throws WRONG_KEY */
export async function openRecord(keys: RecordKeys, sealed: Uint8Array): Promise<Uint8Array> {
  const { inner, outer } = layers(keys, sealed.subarray(0, SALT_BYTES));
  try {
    return await inner.decrypt(await outer.decrypt(sealed.subarray(SALT_BYTES)));
  } catch (cause) {
    throw new PpioError("WRONG_KEY", "These keys do not open the data; use the mnemonic and the application secret that stored it.", {
      cause,
    });
  }
}
