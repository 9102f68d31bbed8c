/** The manifest: everything that is needed to find, open and check one version of an object (docs/protocol/manifest.md). */
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { DealHeader, ObjectHeader } from "./headers.ts";
import { DEAL_HEADER_BYTES, decodeDealHeader, encodeDealHeader, encodeObjectHeader, readObjectHeader } from "./headers.ts";

export const MANIFEST_VERSION = 1;
export const WRAPPED_KEY_BYTES = 60;
const PARTS_MAX = 4096;

/** A part of an object: one deal. */
export interface ManifestPart {
  readonly dealId: Uint8Array;
  readonly dealSalt: Uint8Array;
  readonly header: DealHeader;
  /** Where the part begins in the deal's data cells, in bytes; 0 for a part that has the deal to itself. */
  readonly offset: number;
  /** Plaintext bytes in this part. */
  readonly sizeBytes: number;
  /** Fresh for every upload attempt; both layers' keys come from it. */
  readonly salt: Uint8Array;
  /** Key of the keystream that fills gaps. */
  readonly fillKey: Uint8Array;
  /** Shows that the content key is the right one before it is used. */
  readonly commitment: Uint8Array;
}

export interface Manifest {
  readonly objectId: Uint8Array;
  readonly objectVersion: number;
  readonly objectHeader: ObjectHeader;
  readonly sizeBytes: number;
  readonly sha256: Uint8Array;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly contentType: string;
  /** nonce 12 | content key 32 and tag 16, under the path's wrapping key. */
  readonly wrappedKey: Uint8Array;
  readonly parts: readonly ManifestPart[];
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  const writer = new ByteWriter()
    .u8(MANIFEST_VERSION)
    .fixed(manifest.objectId)
    .u64(manifest.objectVersion)
    .fixed(encodeObjectHeader(manifest.objectHeader))
    .u64(manifest.sizeBytes)
    .fixed(manifest.sha256)
    .u64(manifest.createdAt)
    .text(manifest.contentType)
    .fixed(manifest.wrappedKey)
    .u16(manifest.parts.length);
  for (const part of manifest.parts) {
    writer.fixed(part.dealId).fixed(part.dealSalt).fixed(encodeDealHeader(part.header)).u64(part.offset).u64(part.sizeBytes);
    writer.fixed(part.salt).fixed(part.fillKey).fixed(part.commitment);
  }
  return writer.finish();
}

/** @throws BAD_FORMAT */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const reader = new ByteReader(bytes, "manifest");
  reader.version(MANIFEST_VERSION);
  const objectId = reader.fixed(32);
  const objectVersion = reader.u64();
  const objectHeader = readObjectHeader(reader);
  const sizeBytes = reader.u64();
  const sha256 = reader.fixed(32);
  const createdAt = reader.u64();
  const contentType = reader.text();
  const wrappedKey = reader.fixed(WRAPPED_KEY_BYTES);
  const count = reader.u16();
  if (count < 1 || count > PARTS_MAX) throw reader.fail("the number of parts is out of bounds");
  const parts = Array.from({ length: count }, () => readPart(reader));
  reader.end();
  if (parts.reduce((sum, part) => sum + part.sizeBytes, 0) !== sizeBytes) throw reader.fail("the parts do not sum to the size");
  return { objectId, objectVersion, objectHeader, sizeBytes, sha256, createdAt, contentType, wrappedKey, parts };
}

function readPart(reader: ByteReader): ManifestPart {
  return {
    dealId: reader.fixed(32),
    dealSalt: reader.fixed(32),
    header: decodeDealHeader(reader.fixed(DEAL_HEADER_BYTES)),
    offset: reader.u64(),
    sizeBytes: reader.u64(),
    salt: reader.fixed(32),
    fillKey: reader.fixed(32),
    commitment: reader.fixed(32),
  };
}
