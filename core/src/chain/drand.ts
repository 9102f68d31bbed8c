/**
 * drand's scheme `bls-unchained-g1-rfc9380`: signatures on G1 over sha256(round as 8 big-endian bytes), public key on G2
 * (docs/protocol/beacon.md). Apart from the rest (`@ppio/core/drand`): few need the curve, and it takes megabytes.
 */
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { PpioError } from "../errors.ts";

const DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
const G1_COMPRESSED_BYTES = 48;
const FIELD_BYTES = 48;
const EVM_FIELD_BYTES = 64;

const bls = bls12_381.shortSignatures;

function hashRound(round: number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(round));
  return bls.hash(sha256(bytes), DST);
}

/** The public key of a secret key, compressed, 96 bytes. */
export function drandPublicKey(secretKey: Uint8Array): Uint8Array {
  return bls.getPublicKey(secretKey).toBytes();
}

/** A fresh secret key for a local beacon. */
export function drandSecretKey(): Uint8Array {
  return bls12_381.utils.randomSecretKey();
}

/** The compressed signature of a round, 48 bytes. */
export function signDrandRound(secretKey: Uint8Array, round: number): Uint8Array {
  return bls.sign(hashRound(round), secretKey).toBytes();
}

/** Whether a compressed signature is the key's over the round; false for anything malformed. */
export function verifyDrandRound(publicKey: Uint8Array, round: number, signature: Uint8Array): boolean {
  try {
    return bls.verify(signature, hashRound(round), publicKey);
  } catch {
    return false;
  }
}

/** What drand publishes as a round's randomness. */
export function drandRandomness(signature: Uint8Array): Uint8Array {
  return sha256(signature);
}

/** Compressed G1 point to EIP-2537's layout, 128 bytes. @throws BAD_FORMAT */
export function signatureForEvm(signature: Uint8Array): Uint8Array {
  if (signature.length !== G1_COMPRESSED_BYTES) throw new PpioError("BAD_FORMAT", "A beacon signature is 48 bytes long.");
  try {
    return spread(bls12_381.G1.Point.fromBytes(signature).toBytes(false));
  } catch (cause) {
    throw new PpioError("BAD_FORMAT", "The beacon signature is no point of the curve.", { cause });
  }
}

/** Compressed G2 point to EIP-2537's layout (x.c0, x.c1, y.c0, y.c1), 256 bytes. */
export function publicKeyForEvm(publicKey: Uint8Array): Uint8Array {
  const { x, y } = bls12_381.G2.Point.fromBytes(publicKey).toAffine();
  const out = new Uint8Array(4 * EVM_FIELD_BYTES);
  [x.c0, x.c1, y.c0, y.c1].forEach((element, index) => {
    const hex = element.toString(16).padStart(2 * FIELD_BYTES, "0");
    for (let at = 0; at < FIELD_BYTES; at += 1) {
      out[index * EVM_FIELD_BYTES + EVM_FIELD_BYTES - FIELD_BYTES + at] = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16);
    }
  });
  return out;
}

/** 48-byte field elements to 64-byte ones. */
function spread(bytes: Uint8Array): Uint8Array {
  const count = bytes.length / FIELD_BYTES;
  const out = new Uint8Array(count * EVM_FIELD_BYTES);
  for (let index = 0; index < count; index += 1) {
    out.set(bytes.subarray(index * FIELD_BYTES, (index + 1) * FIELD_BYTES), (index + 1) * EVM_FIELD_BYTES - FIELD_BYTES);
  }
  return out;
}
