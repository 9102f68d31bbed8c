/** Reading a slot's data file: neighbouring cells at a time, none of which leaves here unchecked. */
import { cellLength, PpioError } from "@ppio/core";
import type { StoreFile } from "./file-layer.ts";
import type { HeldTree } from "./held-tree.ts";

/** Fills `into` from `position` on. @throws CORRUPT when the file ends before */
export async function readFully(file: StoreFile, into: Uint8Array, position: number): Promise<void> {
  if ((await readUpTo(file, into, position)) < into.length) throw new PpioError("CORRUPT", "The slot's data is cut short on disk.");
}

/** Bytes read; fewer than `into` holds only at the end of the file. */
async function readUpTo(file: StoreFile, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const bytesRead = await file.read(into.subarray(done), position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

export interface CellReaderOptions {
  readonly file: StoreFile;
  readonly tree: HeldTree;
  /** Makes an error of the disk one of the family, and tells of damage. */
  readonly explain: (error: unknown) => unknown;
}

/** Cells of one slot; to be closed. */
export class CellReader {
  readonly tree: HeldTree;
  readonly #options: CellReaderOptions;

  constructor(options: CellReaderOptions) {
    this.#options = options;
    this.tree = options.tree;
  }

  /**
   * Up to `count` neighbouring cells in `buffer`, all whole; fewer when a later one is damaged. By their hashes, or for `serving` by the
   * sums of what was hashed before.
   * @throws CORRUPT when the first one is damaged, IO
   */
  async read(firstRow: number, count: number, buffer: Uint8Array, check: "thorough" | "serving"): Promise<Uint8Array> {
    const { file, tree, explain } = this.#options;
    const { header } = tree;
    const bytesOf = (rows: number): number => (rows === 0 ? 0 : (rows - 1) * header.cellBytes + cellLength(header, firstRow + rows - 1));
    const wanted = buffer.subarray(0, bytesOf(count));
    try {
      const bytesRead = await readUpTo(file, wanted, firstRow * header.cellBytes);
      const complete = bytesRead === wanted.length ? count : Math.floor(bytesRead / header.cellBytes);
      if (complete === 0) throw new PpioError("CORRUPT", "The slot's data is cut short on disk.");
      const cells = wanted.subarray(0, bytesOf(complete));
      const whole = check === "thorough" ? tree.countWhole(firstRow, cells) : tree.countWholeFast(firstRow, cells);
      if (whole === 0) throw new PpioError("CORRUPT", `Cell ${firstRow} of the slot is damaged on disk.`, { details: { row: firstRow } });
      return cells.subarray(0, bytesOf(whole));
    } catch (error) {
      throw explain(error);
    }
  }

  close(): Promise<void> {
    return this.#options.file.close();
  }
}
