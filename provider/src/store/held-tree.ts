/**
 * The tree of a sealed slot in memory, from the cell roots upwards, and what its cells are checked with. A cell is whole when its bytes
 * hash to its root. Once they did, when they came in or were read, their CRC-32 is kept, and a reader is answered by that: five times faster, and taken of the bytes as
 * they come from the disk each time, so that rot still shows (any burst of up to 32 bits; of other damage, all but one in 2^32, which the
 * reader's own check and the scrub find). Proofs and scrubs always hash.
 */
import { crc32 } from "node:zlib";
import { cellRoots, type DealHeader, equalBytes, NODE_BYTES, upperLevels } from "@ppio/core";
import { hexlify } from "ethers";

export class HeldTree {
  readonly header: DealHeader;
  /** From the cell roots to the slot's root. */
  readonly levels: readonly Uint8Array[];
  readonly byteLength: number;
  readonly #sums: Uint32Array;
  readonly #hasSum: Uint8Array;

  /**
   * @param roots 32 bytes per cell
   * @param sums CRC-32 of every cell that had them, where all were just hashed
   */
  constructor(header: DealHeader, roots: Uint8Array, sums?: Uint32Array) {
    this.header = header;
    this.levels = upperLevels(header, roots);
    this.#sums = sums ?? new Uint32Array(header.rows);
    this.#hasSum = new Uint8Array(header.rows).fill(sums === undefined ? 0 : 1);
    const levelBytes = this.levels.reduce((sum, level) => sum + level.length, 0);
    this.byteLength = levelBytes + this.#sums.byteLength + this.#hasSum.length;
  }

  get roots(): Uint8Array {
    return this.levels[0] ?? new Uint8Array();
  }

  /** 0x hex. */
  get root(): string {
    return hexlify(this.levels.at(-1) ?? this.roots);
  }

  /** How many of the neighbouring cells from `firstRow` on are whole, counted from the first one on. */
  countWhole(firstRow: number, cells: readonly Uint8Array[]): number {
    return countFrom(cells, (cell, index) => this.#isWhole(firstRow + index, cell));
  }

  /** The same for a reader; hashes only what was never found whole, or is no longer what it was then. */
  countWholeFast(firstRow: number, cells: readonly Uint8Array[]): number {
    return countFrom(cells, (cell, index) => this.#isKnown(firstRow + index, cell) || this.#isWhole(firstRow + index, cell));
  }

  #isKnown(row: number, cell: Uint8Array): boolean {
    return this.#hasSum[row] === 1 && crc32(cell) === this.#sums[row];
  }

  #isWhole(row: number, cell: Uint8Array): boolean {
    if (!equalBytes(cellRoots(this.header, row, cell), nodeOf(this.roots, row))) return false;
    if (this.#hasSum[row] === 0) {
      this.#sums[row] = crc32(cell);
      this.#hasSum[row] = 1;
    }
    return true;
  }
}

function countFrom(cells: readonly Uint8Array[], isWhole: (cell: Uint8Array, index: number) => boolean): number {
  const damaged = cells.findIndex((cell, index) => !isWhole(cell, index));
  return damaged < 0 ? cells.length : damaged;
}

function nodeOf(nodes: Uint8Array, index: number): Uint8Array {
  return nodes.subarray(index * NODE_BYTES, (index + 1) * NODE_BYTES);
}
