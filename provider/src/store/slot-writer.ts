/** Appends a body to a slot's data in large writes. */
import { PpioError, slotBytes } from "@ppio/core";
import type { StoreFile } from "./file-layer.ts";
import type { Entry } from "./slot-entry.ts";

/** What one body holds in memory at most. */
export const WRITE_BATCH_BYTES = 512 << 10;
/** A sender of tiny pieces must not make memory grow with their number. */
const WRITE_BATCH_PIECES = 256;

/** What arrived before a cut is kept, so that a resume starts there. @throws TOO_LARGE, NO_SPACE, and what disk and body throw */
export async function writeBody(
  entry: Entry,
  file: StoreFile,
  body: AsyncIterable<Uint8Array>,
  wrote: (bytes: number) => void,
): Promise<void> {
  const total = slotBytes(entry.header);
  let batch: Uint8Array[] = [];
  let batchBytes = 0;
  const flush = async (): Promise<void> => {
    const [pieces, expected] = [batch, batchBytes];
    [batch, batchBytes] = [[], 0];
    if (expected === 0) return;
    const bytesWritten = await file.writev(pieces, entry.receivedBytes);
    entry.receivedBytes += bytesWritten;
    wrote(bytesWritten);
    if (bytesWritten !== expected) throw new PpioError("NO_SPACE", "The disk took only part of the data; try again later.");
  };
  try {
    for await (const piece of body) {
      if (entry.receivedBytes + batchBytes + piece.length > total) {
        throw new PpioError("TOO_LARGE", `The slot has ${total} bytes by its header; more were sent.`);
      }
      batch.push(piece);
      batchBytes += piece.length;
      if (batchBytes >= WRITE_BATCH_BYTES || batch.length >= WRITE_BATCH_PIECES) await flush();
    }
  } finally {
    await flush();
  }
}
