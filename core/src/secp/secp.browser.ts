/** Signatures over secp256k1 in a browser, by ethers: bundlers do not take WebAssembly that lies in a file. Same bytes as `secp.node.ts`. */
import { getBytes, recoverAddress, SigningKey } from "ethers";
import type { DigestSigner } from "./secp.node.ts";

export function digestSigner(privateKey: string): DigestSigner {
  const key = new SigningKey(privateKey);
  return (digest) => getBytes(key.sign(digest).serialized);
}

export function recoverSigner(digest: string, signature: string): string | undefined {
  try {
    return recoverAddress(digest, signature);
  } catch {
    return undefined;
  }
}
