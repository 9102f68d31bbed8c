/** Reading a slot's data file: neighbouring cells at a time, none of which leaves here unchecked. */
import { PpioError } from "@ppio/core";
import type { StoreFile } from "./file-layer.ts";
import type { HeldTree } from "./held-tree.ts";

/** Fills `into` from `position` on. @throws CORRUPT when the file ends before */
export async function readFully(file: StoreFile, into: Uint8Array, position: number): Promise<void> {
  if ((await readUpTo(file, [into], position)) < into.length) throw new PpioError("CORRUPT", "The slot's data is cut short on disk.");
}

/** Bytes read; fewer than the pieces hold only at the end of the file. */
async function readUpTo(file: StoreFile, pieces: readonly Uint8Array[], position: number): Promise<number> {
  let done = 0;
  for (let rest = pieces; rest.length > 0; ) {
    const bytesRead = await file.readv(rest, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
    rest = without(rest, bytesRead);
  }
  return done;
}

/** What is left of the pieces behind their first `bytes`. */
function without(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skipped = bytes;
  for (const [index, piece] of pieces.entries()) {
    if (skipped < piece.length) return [piece.subarray(skipped), ...pieces.slice(index + 1)];
    skipped -= piece.length;
  }
  return [];
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
   * Fills `cells`, neighbours from `firstRow` on, one after the other. How many are whole, counted from the first one on: those before the
   * first damaged one. By their hashes, or for `serving` by the sums of what was hashed before.
   * @param cells each of its cell's length
   * @throws CORRUPT when the first one is damaged, IO
   */
  async read(firstRow: number, cells: readonly Uint8Array[], check: "thorough" | "serving"): Promise<number> {
    const { file, tree, explain } = this.#options;
    try {
      const bytesRead = await readUpTo(file, cells, firstRow * tree.header.cellBytes);
      const complete = cells.slice(0, cellsIn(cells, bytesRead));
      if (complete.length === 0) throw new PpioError("CORRUPT", "The slot's data is cut short on disk.");
      const whole = check === "thorough" ? tree.countWhole(firstRow, complete) : tree.countWholeFast(firstRow, complete);
      if (whole === 0) throw new PpioError("CORRUPT", `Cell ${firstRow} of the slot is damaged on disk.`, { details: { row: firstRow } });
      return whole;
    } catch (error) {
      throw explain(error);
    }
  }

  close(): Promise<void> {
    return this.#options.file.close();
  }
}

/** How many of the cells lie in `bytes` as a whole. */
function cellsIn(cells: readonly Uint8Array[], bytes: number): number {
  let end = 0;
  const cut = cells.findIndex((cell) => {
    end += cell.length;
    return end > bytes;
  });
  return cut < 0 ? cells.length : cut;
}
