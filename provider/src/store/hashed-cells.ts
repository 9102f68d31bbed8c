/**
 * Roots of the cells of an upload that were hashed as they came in, or read back: what is missing at the end is read from the disk, each
 * byte once. Nothing of this outlives the process, so that what came before a restart is hashed as the disk has it.
 */
import { cellLength, cellRoots, type DealHeader, NODE_BYTES, slotBytes } from "@ppio/core";
import { readFully } from "./cell-reader.ts";
import type { StoreFile } from "./file-layer.ts";

/** A multiple of every cell size, all being powers of two. */
const READ_BATCH_BYTES = 1 << 20;

interface Run {
  readonly first: number;
  readonly count: number;
}

export interface CellRun extends Run {
  /** 32 bytes per cell. */
  readonly roots: Uint8Array;
}

export class HashedCells {
  readonly header: DealHeader;
  /** 32 bytes per cell. */
  readonly roots: Uint8Array;
  readonly #isHashed: Uint8Array;

  constructor(header: DealHeader) {
    this.header = header;
    this.roots = new Uint8Array(header.rows * NODE_BYTES);
    this.#isHashed = new Uint8Array(header.rows);
  }

  get byteLength(): number {
    return this.roots.length + this.#isHashed.length;
  }

  set({ first, count, roots }: CellRun): void {
    this.roots.set(roots, first * NODE_BYTES);
    this.#isHashed.fill(1, first, first + count);
  }

  /** Hashes what is missing, as it lies on the disk. @throws CORRUPT when there are too few bytes */
  async complete(file: StoreFile): Promise<void> {
    const { header } = this;
    let buffer: Uint8Array | undefined;
    for (let run = this.#missing(0); run !== undefined; run = this.#missing(run.first + run.count)) {
      buffer ??= new Uint8Array(Math.min(READ_BATCH_BYTES, slotBytes(header)));
      const { first, count } = run;
      const batch = buffer.subarray(0, (count - 1) * header.cellBytes + cellLength(header, first + count - 1));
      await readFully(file, batch, first * header.cellBytes);
      this.set(hashCells(header, first, batch));
    }
  }

  /** The next cells from `from` on that were not hashed, as many as fit a batch. */
  #missing(from: number): Run | undefined {
    const first = this.#isHashed.indexOf(0, from);
    if (first < 0) return undefined;
    const next = this.#isHashed.indexOf(1, first);
    const end = next < 0 ? this.header.rows : next;
    return { first, count: Math.min(end - first, READ_BATCH_BYTES / this.header.cellBytes) };
  }
}

/** @param cells whole ones, back to back */
function hashCells(header: DealHeader, first: number, cells: Uint8Array): CellRun {
  return { first, count: Math.ceil(cells.length / header.cellBytes), roots: cellRoots(header, first, cells) };
}

/** Hashes the cells that lie in `bytes` as a whole, which stand at `offset` of the slot; nothing when there are none. */
export function hashWholeCells(header: DealHeader, offset: number, bytes: Uint8Array): CellRun | undefined {
  const first = Math.ceil(offset / header.cellBytes);
  const end = offset + bytes.length;
  const isEnd = end === slotBytes(header);
  const from = first * header.cellBytes - offset;
  const to = isEnd ? bytes.length : Math.floor(end / header.cellBytes) * header.cellBytes - offset;
  return from < to ? hashCells(header, first, bytes.subarray(from, to)) : undefined;
}
