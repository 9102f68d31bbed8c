/** Signed requests of ACME (RFC 8555, section 6.2): JWS with ES256, flattened (RFC 7515, 7518). */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { PpioError } from "@ppio/core";

export interface AccountKey {
  readonly key: KeyObject;
  /** The public key, members in the order of RFC 7638. */
  readonly jwk: { readonly crv: string; readonly kty: string; readonly x: string; readonly y: string };
}

/** A new P-256 key, PKCS #8 PEM. */
export function newKeyPem(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** @throws CONFIG when it is no P-256 key */
export function accountKeyOf(pem: string): AccountKey {
  try {
    const key = createPrivateKey(pem);
    const { crv, kty, x, y } = createPublicKey(key).export({ format: "jwk" });
    if (crv === "P-256" && kty !== undefined && x !== undefined && y !== undefined) return { key, jwk: { crv, kty, x, y } };
  } catch (cause) {
    throw new PpioError("CONFIG", "The ACME account's key cannot be read; restore it, or move it away for a new account.", { cause });
  }
  throw new PpioError("CONFIG", "The ACME account's key is not of the curve P-256; restore it, or move it away for a new account.");
}

/** RFC 7638: what a challenge is answered with, together with its token. */
export function thumbprint({ jwk }: AccountKey): string {
  return createHash("sha256").update(JSON.stringify(jwk)).digest("base64url");
}

export interface SignedRequest {
  readonly url: string;
  readonly nonce: string;
  /** The account's address; the key itself stands in its place while there is none. */
  readonly kid: string | undefined;
  /** Undefined reads (POST-as-GET). */
  readonly payload: unknown;
}

export function signRequest(account: AccountKey, { url, nonce, kid, payload }: SignedRequest): string {
  const encode = (text: string): string => Buffer.from(text).toString("base64url");
  const header = encode(JSON.stringify({ alg: "ES256", ...(kid === undefined ? { jwk: account.jwk } : { kid }), nonce, url }));
  const body = payload === undefined ? "" : encode(JSON.stringify(payload));
  const signature = sign("sha256", Buffer.from(`${header}.${body}`), { key: account.key, dsaEncoding: "ieee-p1363" });
  return JSON.stringify({ protected: header, payload: body, signature: signature.toString("base64url") });
}
