/** The same random bytes for every contestant, in a file in memory. */
import { randomFillSync } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./temporary.ts";

const PIECE_BYTES = 1 << 24;

export interface SourceFile {
  readonly path: string;
  readonly sizeBytes: number;
  remove(): Promise<void>;
}

export async function makeSourceFile(mib: number): Promise<SourceFile> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "source");
  const sizeBytes = mib * 2 ** 20;
  const file = await open(path, "wx");
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    await file.write(randomFillSync(new Uint8Array(Math.min(PIECE_BYTES, sizeBytes - at))));
  }
  await file.close();
  return { path, sizeBytes, remove: folder.remove };
}
