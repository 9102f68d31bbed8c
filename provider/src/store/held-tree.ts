/** The tree of a sealed slot in memory, from the cell roots upwards. A cell is whole when its bytes hash to its root. */
import { cellRoots, type DealHeader, equalBytes, NODE_BYTES, upperLevels } from "@ppio/core";
import { hexlify } from "ethers";

export class HeldTree {
  readonly header: DealHeader;
  /** From the cell roots to the slot's root. */
  readonly levels: readonly Uint8Array[];
  readonly byteLength: number;

  /** @param roots 32 bytes per cell */
  constructor(header: DealHeader, roots: Uint8Array) {
    this.header = header;
    this.levels = upperLevels(header, roots);
    this.byteLength = this.levels.reduce((sum, level) => sum + level.length, 0);
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
    const damaged = cells.findIndex((cell, index) => !this.#isWhole(firstRow + index, cell));
    return damaged < 0 ? cells.length : damaged;
  }

  #isWhole(row: number, cell: Uint8Array): boolean {
    return equalBytes(cellRoots(this.header, row, cell), this.roots.subarray(row * NODE_BYTES, (row + 1) * NODE_BYTES));
  }
}
