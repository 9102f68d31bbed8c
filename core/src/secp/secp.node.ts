/** Signatures over secp256k1 as WebAssembly: libsecp256k1 in `tiny-secp256k1` (docs/adr/0015). Same bytes as `secp.browser.ts`. */
import { createRequire } from "node:module";
import { computeAddress, getBytes, hexlify, Signature } from "ethers";

const SIGNATURE_BYTES = 65;
const V_AT = 64;
/** In Ethereum's signatures before the recovery id. */
const V_BASE = 27;

const require = createRequire(import.meta.url);
let loaded: typeof import("tiny-secp256k1") | undefined;

/** Takes 14 ms and 12 MiB, which most commands need not spend. */
function secp256k1(): typeof import("tiny-secp256k1") {
  loaded ??= require("tiny-secp256k1") as typeof import("tiny-secp256k1");
  return loaded;
}

/** Signs digests of 32 bytes, 0x hex: r, s, v, 65 bytes. Nonces are those of RFC 6979, s is low. */
export type DigestSigner = (digest: string) => Uint8Array;

/** @param privateKey 0x hex */
export function digestSigner(privateKey: string): DigestSigner {
  const key = getBytes(privateKey);
  return (digest) => {
    const { signature, recoveryId } = secp256k1().signRecoverable(getBytes(digest), key);
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
    const publicKey = secp256k1().recover(getBytes(digest), getBytes(r + s.slice(2)), yParity, false);
    return publicKey === null ? undefined : computeAddress(hexlify(publicKey));
  } catch {
    return undefined;
  }
}
