/** AES-256 by Node's OpenSSL: synchronous, several times as fast as WebCrypto there, which takes a turn in the thread pool per call. */
import { type CipherGCMTypes, createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import { freeLent } from "@ppio/core/data";
import { type AesKey, BLOCK_BYTES, counterAt, type ImportAesKey, TAG_BYTES, then } from "./aes.ts";

const GCM: CipherGCMTypes = "aes-256-gcm";
const CTR = "aes-256-ctr";
const OPTIONS = { authTagLength: TAG_BYTES };

export const importAesKey: ImportAesKey = (bytes): AesKey => {
  const key = createSecretKey(bytes);
  let keystream = createCipheriv(CTR, key, counterAt(0));
  /** Where the next byte of `keystream` lies: what follows what came before needs no new cipher. */
  let position = 0;

  const seek = (offset: number): void => {
    keystream = createCipheriv(CTR, key, counterAt(offset));
    keystream.update(new Uint8Array(offset % BLOCK_BYTES));
    position = offset;
  };

  return {
    seal: (nonce, associatedData, plaintext, take) => {
      const cipher = createCipheriv(GCM, key, nonce, OPTIONS);
      cipher.setAAD(associatedData);
      const body = cipher.update(plaintext);
      cipher.final();
      return then(take(body, 0), () => {
        freeLent(body);
        return take(cipher.getAuthTag(), plaintext.length);
      });
    },
    open: (nonce, associatedData, sealed) => {
      const end = Math.max(0, sealed.length - TAG_BYTES);
      const decipher = createDecipheriv(GCM, key, nonce, OPTIONS);
      decipher.setAAD(associatedData);
      decipher.setAuthTag(sealed.subarray(end));
      const plaintext = decipher.update(sealed.subarray(0, end));
      decipher.final();
      return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
    },
    stream: (offset, input, take) => {
      if (offset !== position) seek(offset);
      position += input.length;
      const output = keystream.update(input);
      return then(take(output), (result) => {
        freeLent(output);
        return result;
      });
    },
  };
};
