/** AES-256 in plain JavaScript, where there is neither Node nor WebCrypto: a page of an insecure origin. Megabytes a second. */
import { ctr, gcm } from "@noble/ciphers/aes.js";
import { type AesKey, BLOCK_BYTES, counterAt, fromBlockStart, type ImportAesKey } from "./aes.ts";

export const importAesKey: ImportAesKey = (bytes): AesKey => {
  const key = bytes.slice();
  return {
    seal: (nonce, associatedData, plaintext, take) => take(gcm(key, nonce, associatedData).encrypt(plaintext), 0),
    open: (nonce, associatedData, sealed) => gcm(key, nonce, associatedData).decrypt(sealed),
    stream: (offset, input, take) => {
      const output = ctr(key, counterAt(offset)).encrypt(fromBlockStart(offset, input));
      return take(output.subarray(offset % BLOCK_BYTES));
    },
  };
};
