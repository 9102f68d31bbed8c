/** Reading a slot's data file: neighbouring cells at a time, held against their roots unless whoever reads them does so. */
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
   * first damaged one.
   * @param cells each of its cell's length
   * @throws CORRUPT when the first one is damaged, IO
   */
  async read(firstRow: number, cells: readonly Uint8Array[]): Promise<number> {
    const { tree, explain } = this.#options;
    const complete = await this.readUnchecked(firstRow, cells);
    const whole = tree.countWhole(firstRow, cells.slice(0, complete));
    if (whole > 0) return whole;
    throw explain(new PpioError("CORRUPT", `Cell ${firstRow} of the slot is damaged on disk.`, { details: { row: firstRow } }));
  }

  /** The same with whatever bytes the disk gives, for a reader that finds out by itself. How many the file has. @throws CORRUPT when it has none, IO */
  async readUnchecked(firstRow: number, cells: readonly Uint8Array[]): Promise<number> {
    const { file, tree, explain } = this.#options;
    try {
      const complete = cellsIn(cells, await readUpTo(file, cells, firstRow * tree.header.cellBytes));
      if (complete === 0) throw new PpioError("CORRUPT", "The slot's data is cut short on disk.");
      return complete;
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
