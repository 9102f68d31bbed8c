/** `ppio://bucket/key`: what users call an object. */
import { PpioError } from "@ppio/core";

export interface ObjectUri {
  readonly bucket: string;
  /** Empty for the bucket itself. */
  readonly key: string;
}

const SCHEME = "ppio://";
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const KEY_BYTES_MAX = 1024;

/** Parses `ppio://bucket[/key]`; throws `USAGE` with what is wrong. */
export function parseObjectUri(text: string): ObjectUri {
  if (!text.startsWith(SCHEME)) throw new PpioError("USAGE", `"${text}" is no object address; write ${SCHEME}bucket/key.`);
  const path = text.slice(SCHEME.length);
  const slash = path.indexOf("/");
  const bucket = slash < 0 ? path : path.slice(0, slash);
  const key = slash < 0 ? "" : path.slice(slash + 1);
  if (!BUCKET.test(bucket)) {
    throw new PpioError("USAGE", `"${bucket}" is no bucket name; use 3 to 63 lower-case letters, digits, dots and hyphens.`);
  }
  if (new TextEncoder().encode(key).length > KEY_BYTES_MAX) {
    throw new PpioError("USAGE", `The key is longer than ${KEY_BYTES_MAX} bytes; choose a shorter one.`);
  }
  return { bucket, key };
}

/** `parseObjectUri` where a key must be named. */
export function parseObjectKeyUri(text: string): ObjectUri {
  const uri = parseObjectUri(text);
  if (uri.key === "") throw new PpioError("USAGE", `"${text}" names a bucket, not an object; write ${SCHEME}${uri.bucket}/key.`);
  return uri;
}

/** Parses a code like `4/8`; throws `USAGE`. */
export function parseCode(text: string): { readonly k: number; readonly n: number } {
  const match = /^(\d{1,3})\/(\d{1,3})$/.exec(text);
  const k = Number(match?.[1]);
  const n = Number(match?.[2]);
  if (!(k >= 1 && k < n && n <= 128))
    throw new PpioError("USAGE", `"${text}" is no code; write k/n with 1 <= k < n <= 128, for example 4/8.`);
  return { k, n };
}
