/**
 * A PKCS #10 request (RFC 2986) for one DNS name, with an ECDSA key: the one structure of X.509 that the daemon writes itself, in the few
 * shapes of DER that it needs.
 */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
/** [0], the attributes of a request. */
const ATTRIBUTES = 0xa0;
/** [2], a DNS name among the alternative names. */
const DNS_NAME = 0x82;

/** 1.2.840.113549.1.9.14, 2.5.29.17, 1.2.840.10045.4.3.2 */
const EXTENSION_REQUEST = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
const ALTERNATIVE_NAMES = [0x55, 0x1d, 0x11];
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/** @param domain ASCII @param keyPem P-256, PKCS #8. @returns DER */
export function certificateRequest(domain: string, keyPem: string): Buffer {
  const key = createPrivateKey(keyPem);
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const names = der(SEQUENCE, der(DNS_NAME, Buffer.from(domain, "ascii")));
  const extension = der(SEQUENCE, objectId(ALTERNATIVE_NAMES), der(OCTET_STRING, names));
  const attribute = der(SEQUENCE, objectId(EXTENSION_REQUEST), der(SET, der(SEQUENCE, extension)));
  // Authorities read the alternative names; the subject may be empty.
  const info = der(SEQUENCE, der(INTEGER, Uint8Array.of(0)), der(SEQUENCE), publicKey, der(ATTRIBUTES, attribute));
  const algorithm = der(SEQUENCE, objectId(ECDSA_WITH_SHA256));
  return der(SEQUENCE, info, algorithm, der(BIT_STRING, Uint8Array.of(0), sign("sha256", info, key)));
}

function objectId(bytes: readonly number[]): Buffer {
  return der(OBJECT_ID, Uint8Array.from(bytes));
}

/** Tag, length, value. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const long = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...long), value]);
}
