/**
 * secp256k1 and keccak-256 as WebAssembly (docs/adr/0015): a provider signs every answer, and plain JavaScript takes most of a short read
 * for that. The bytes are those of ethers: deterministic nonces (RFC 6979), low s.
 */
import { computeAddress, getBytes, hexlify, keccak256, Signature } from "ethers";
import hashWasm from "hash-wasm/dist/keccak.umd.min.js";
import { recover, signRecoverable } from "tiny-secp256k1";

const SIGNATURE_BYTES = 65;
const V_AT = 64;
/** In Ethereum's signatures before the recovery id. */
const V_BASE = 27;

const keccak = await hashWasm.createKeccak(256);

/** From now on ethers hashes with it, in the whole process. */
export function useFastKeccak(): void {
  keccak256.register((bytes) => keccak.init().update(bytes).digest("binary"));
}

/** Signs digests of 32 bytes, 0x hex: r, s, v, 65 bytes. */
export type DigestSigner = (digest: string) => Uint8Array;

/** @param privateKey 0x hex */
export function digestSigner(privateKey: string): DigestSigner {
  const key = getBytes(privateKey);
  return (digest) => {
    const { signature, recoveryId } = signRecoverable(getBytes(digest), key);
    const bytes = new Uint8Array(SIGNATURE_BYTES);
    bytes.set(signature);
    bytes[V_AT] = V_BASE + recoveryId;
    return bytes;
  };
}

/** Address of who signed the digest; undefined when the signature is malformed or nobody's. */
export function recoverSigner(digest: string, signature: string): string | undefined {
  try {
    const { r, s, yParity } = Signature.from(signature);
    const publicKey = recover(getBytes(digest), getBytes(r + s.slice(2)), yParity, false);
    return publicKey === null ? undefined : computeAddress(hexlify(publicKey));
  } catch {
    return undefined;
  }
}
