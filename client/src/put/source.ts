/** What is stored: bytes that can be read again, because a second pass may be needed. */
import { PpioError } from "@ppio/core";

export interface ObjectSource {
  readonly sizeBytes: number;
  /** Bytes [offset, offset + length); fewer only at a truncated source's end. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export function bytesSource(bytes: Uint8Array): ObjectSource {
  return { sizeBytes: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

/** A file from a browser's file picker. */
export function blobSource(blob: Blob): ObjectSource {
  return {
    sizeBytes: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

/** @throws TRUNCATED when the source has become shorter */
export async function readFully(source: ObjectSource, offset: number, length: number): Promise<Uint8Array> {
  const first = await source.read(offset, length);
  if (first.length === length) return first;
  const out = new Uint8Array(length);
  let at = 0;
  let chunk = first;
  while (chunk.length > 0 && at < length) {
    out.set(chunk.subarray(0, length - at), at);
    at += chunk.length;
    if (at < length) chunk = await source.read(offset + at, length - at);
  }
  if (at < length) throw new PpioError("TRUNCATED", `The source ended ${length - at} bytes early; it changed while it was stored.`);
  return out;
}
