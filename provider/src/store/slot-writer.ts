/** Appends a body to a slot's data in large writes, and hashes its cells meanwhile. */
import { PpioError, slotBytes } from "@ppio/core";
import type { StoreFile } from "./file-layer.ts";
import { type HashedCells, hashWholeCells } from "./hashed-cells.ts";
import type { Entry } from "./slot-entry.ts";

/** What one body holds in memory at most. A multiple of every cell size. */
export const WRITE_BATCH_BYTES = 1 << 20;

export interface WriteOptions {
  readonly entry: Entry;
  readonly file: StoreFile;
  /** WRITE_BATCH_BYTES, the caller's again afterwards. */
  readonly buffer: Uint8Array;
  readonly hashed: HashedCells;
  readonly wrote: (bytes: number) => void;
}

/** What arrived before a cut is kept, so that a resume starts there. @throws TOO_LARGE, NO_SPACE, and what disk and body throw */
export async function writeBody(body: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<void> {
  const { entry, buffer } = options;
  const { header } = entry;
  const total = slotBytes(header);
  // Ends where a cell ends, so that only the cell in which a body begins or breaks off has to be read back.
  const room = (): number => buffer.length - (entry.receivedBytes % header.cellBytes);
  let filled = 0;
  const flush = async (): Promise<void> => {
    const batch = buffer.subarray(0, filled);
    filled = 0;
    if (batch.length > 0) await writeBatch(batch, options);
  };
  try {
    for await (const piece of body) {
      if (entry.receivedBytes + filled + piece.length > total) {
        throw new PpioError("TOO_LARGE", `The slot has ${total} bytes by its header; more were sent.`);
      }
      for (let at = 0; at < piece.length; ) {
        const part = piece.subarray(at, at + room() - filled);
        buffer.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === room()) await flush();
      }
    }
  } finally {
    await flush();
  }
}

async function writeBatch(batch: Uint8Array, { entry, file, hashed, wrote }: WriteOptions): Promise<void> {
  const writing = file.writev([batch], entry.receivedBytes);
  // The system takes the bytes while this thread hashes them.
  const cells = hashWholeCells(entry.header, entry.receivedBytes, batch);
  const bytesWritten = await writing;
  entry.receivedBytes += bytesWritten;
  wrote(bytesWritten);
  if (bytesWritten !== batch.length) throw new PpioError("NO_SPACE", "The disk took only part of the data; try again later.");
  if (cells !== undefined) hashed.set(cells);
}
