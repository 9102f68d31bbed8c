/** AES-256 by WebCrypto, which browsers offer to pages of a secure origin. The key is imported once, not for every frame. */
import { type AesKey, BLOCK_BYTES, counterAt, fromBlockStart, type ImportAesKey } from "./aes.ts";

const COUNTER_BITS = 64;

/** WebCrypto refuses shared memory. */
const source = (bytes: Uint8Array): BufferSource =>
  bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);

export const importAesKey: ImportAesKey = (bytes): AesKey => {
  const { subtle } = globalThis.crypto;
  const raw = source(bytes);
  const gcm = subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  const ctr = subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);
  // A failure belongs to whoever uses the key.
  for (const key of [gcm, ctr]) key.catch(() => undefined);
  const gcmParameters = (nonce: Uint8Array, associatedData: Uint8Array): AesGcmParams => ({
    name: "AES-GCM",
    iv: nonce.slice(),
    additionalData: associatedData.slice(),
  });

  return {
    seal: async (nonce, associatedData, plaintext, take) =>
      take(new Uint8Array(await subtle.encrypt(gcmParameters(nonce, associatedData), await gcm, source(plaintext))), 0),
    open: async (nonce, associatedData, sealed) =>
      new Uint8Array(await subtle.decrypt(gcmParameters(nonce, associatedData), await gcm, source(sealed))),
    stream: async (offset, input, take) => {
      const parameters = { name: "AES-CTR", counter: counterAt(offset), length: COUNTER_BITS };
      const output = await subtle.encrypt(parameters, await ctr, source(fromBlockStart(offset, input)));
      return take(new Uint8Array(output, offset % BLOCK_BYTES));
    },
  };
};
