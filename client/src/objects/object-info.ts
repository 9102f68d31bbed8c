/** What a listing says about one object, for people and programs. */

import { sha256 } from "@noble/hashes/sha2.js";
import type { IndexEntry } from "@ppio/core";
import { hexlify } from "ethers";

export interface ObjectInfo {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  readonly contentType: string;
  /** Unix milliseconds; also the object's version. */
  readonly modifiedAt: number;
  /** Of the plaintext, 0x hex. */
  readonly sha256: string;
  /** Whether it lives inside the listing. */
  readonly inline: boolean;
  readonly parts: readonly ObjectPart[];
}

export interface ObjectPart {
  readonly dealId: string;
  readonly sizeBytes: number;
  readonly k: number;
  readonly n: number;
  readonly cellBytes: number;
  readonly rows: number;
}

export function describeEntry(bucket: string, entry: IndexEntry): ObjectInfo {
  const { key, modifiedAt, content } = entry;
  if (content.kind === "inline") {
    const { bytes, contentType } = content;
    return { bucket, key, sizeBytes: bytes.length, contentType, modifiedAt, sha256: hexlify(sha256(bytes)), inline: true, parts: [] };
  }
  const { sizeBytes, contentType, parts, sha256: digest } = content.manifest;
  return {
    bucket,
    key,
    sizeBytes,
    contentType,
    modifiedAt,
    sha256: hexlify(digest),
    inline: false,
    parts: parts.map(({ dealId, sizeBytes: partBytes, header: { k, n, cellBytes, rows } }) => ({
      dealId: hexlify(dealId),
      sizeBytes: partBytes,
      k,
      n,
      cellBytes,
      rows,
    })),
  };
}
