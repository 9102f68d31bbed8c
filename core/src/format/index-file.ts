/** A bucket's listing and its head, in clear; both are sealed before they leave the machine (docs/protocol/index.md). */
import { PpioError } from "../errors.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeManifest, encodeManifest, type Manifest } from "./manifest.ts";

export const INDEX_VERSION = 1;
export const HEAD_VERSION = 1;
/** Objects up to this size live inside the index. */
export const INLINE_BYTES_MAX = 4096;
export const INDEX_BYTES_MAX = 16 << 20;
const ENTRIES_MAX = 1 << 20;
const KIND_INLINE = 0;
const KIND_STORED = 1;

export interface InlineContent {
  readonly kind: "inline";
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

export interface StoredContent {
  readonly kind: "stored";
  readonly manifest: Manifest;
}

export interface IndexEntry {
  readonly key: string;
  /** Unix milliseconds. */
  readonly modifiedAt: number;
  readonly content: InlineContent | StoredContent;
}

export interface BucketIndex {
  readonly bucket: string;
  /** Ordered by key, as UTF-8 bytes; each key once. */
  readonly entries: readonly IndexEntry[];
}

const UTF8 = new TextEncoder();

/** Order of keys: by their UTF-8 bytes, which is not the order of JavaScript's strings. */
export function compareKeys(a: string, b: string): number {
  const [left, right] = [UTF8.encode(a), UTF8.encode(b)];
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** @throws TOO_LARGE beyond 16 MiB */
export function encodeIndex(index: BucketIndex): Uint8Array {
  const writer = new ByteWriter().u8(INDEX_VERSION).text(index.bucket).u32(index.entries.length);
  for (const entry of index.entries) {
    writer.text(entry.key).u64(entry.modifiedAt);
    if (entry.content.kind === "inline") writer.u8(KIND_INLINE).text(entry.content.contentType).blob(entry.content.bytes);
    else writer.u8(KIND_STORED).blob(encodeManifest(entry.content.manifest));
  }
  const bytes = writer.finish();
  if (bytes.length > INDEX_BYTES_MAX) {
    throw new PpioError("TOO_LARGE", `The listing of bucket "${index.bucket}" is full (16 MiB); put further objects into another bucket.`);
  }
  return bytes;
}

/** @throws BAD_FORMAT */
export function decodeIndex(bytes: Uint8Array): BucketIndex {
  const reader = new ByteReader(bytes, "bucket index");
  reader.version(INDEX_VERSION);
  const bucket = reader.text();
  const count = reader.u32();
  if (count > ENTRIES_MAX) throw reader.fail("it has too many entries");
  const entries: IndexEntry[] = [];
  for (let at = 0; at < count; at += 1) {
    const entry = readEntry(reader);
    const previous = entries.at(-1);
    if (previous !== undefined && compareKeys(previous.key, entry.key) >= 0) throw reader.fail("its keys are not in order");
    entries.push(entry);
  }
  reader.end();
  return { bucket, entries };
}

function readEntry(reader: ByteReader): IndexEntry {
  const key = reader.text();
  const modifiedAt = reader.u64();
  const kind = reader.u8();
  if (kind === KIND_STORED) return { key, modifiedAt, content: { kind: "stored", manifest: decodeManifest(reader.blob()) } };
  if (kind !== KIND_INLINE) throw reader.fail(`entry kind ${kind} is not known`);
  const contentType = reader.text();
  const bytes = reader.blob();
  if (bytes.length > INLINE_BYTES_MAX) throw reader.fail("an inline object is too large");
  return { key, modifiedAt, content: { kind: "inline", bytes, contentType } };
}

/** A new index with `entry` in its place, or without `key` when no entry is given. */
export function withEntry(index: BucketIndex, key: string, entry: IndexEntry | undefined): BucketIndex {
  const others = index.entries.filter((existing) => existing.key !== key);
  const entries = entry === undefined ? others : [...others, entry].sort((a, b) => compareKeys(a.key, b.key));
  return { bucket: index.bucket, entries };
}

/**
 * What a bucket's head says: which bytes of which deal are its newest sealed listing. Nothing in it is secret. Moved by
 * compare-and-swap on the whole record.
 */
export interface BucketHead {
  readonly bucketId: Uint8Array;
  /** 1 for the first; one more with every move. */
  readonly seq: number;
  readonly dealId: Uint8Array;
  /** Place of the sealed listing in the deal's data cells, in bytes. */
  readonly offset: number;
  readonly length: number;
  /** SHA-256 of the sealed listing. */
  readonly hash: Uint8Array;
}

/** version u8 | bucketId 32 | seq u64 | dealId 32 | offset u64 | length u32 | hash 32. */
export function encodeHead(head: BucketHead): Uint8Array {
  const writer = new ByteWriter().u8(HEAD_VERSION).fixed(head.bucketId).u64(head.seq).fixed(head.dealId);
  return writer.u64(head.offset).u32(head.length).fixed(head.hash).finish();
}

/** @throws BAD_FORMAT */
export function decodeHead(bytes: Uint8Array): BucketHead {
  const reader = new ByteReader(bytes, "bucket head");
  reader.version(HEAD_VERSION);
  const [bucketId, seq, dealId] = [reader.fixed(32), reader.u64(), reader.fixed(32)];
  const head = { bucketId, seq, dealId, offset: reader.u64(), length: reader.u32(), hash: reader.fixed(32) };
  reader.end();
  return head;
}
