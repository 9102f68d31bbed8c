/** What is stored: bytes that can be read again, because a second pass may be needed. */
import { PpioError } from "@ppio/core";

export interface ObjectSource {
  readonly sizeBytes: number;
  /**
   * Bytes [offset, offset + length), or the first of them; none only at the source's end.
   * @param room as long: may be written, and its written part returned, which spares a copy
   */
  read(offset: number, length: number, room: Uint8Array): Promise<Uint8Array>;
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

/** Fills `target` from `offset` on. @throws TRUNCATED when the source has become shorter */
export async function readInto(source: ObjectSource, offset: number, target: Uint8Array): Promise<void> {
  for (let at = 0; at < target.length; ) {
    const room = target.subarray(at);
    const chunk = await source.read(offset + at, room.length, room);
    if (chunk.length === 0) {
      throw new PpioError("TRUNCATED", `The source ended ${room.length} bytes early; it changed while it was stored.`);
    }
    const part = chunk.subarray(0, room.length);
    if (part.buffer !== room.buffer || part.byteOffset !== room.byteOffset) room.set(part);
    at += part.length;
  }
}

/** @throws TRUNCATED when the source has become shorter */
export async function readFully(source: ObjectSource, length: number): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  await readInto(source, 0, out);
  return out;
}
