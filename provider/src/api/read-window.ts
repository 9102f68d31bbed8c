/**
 * The part of an answer that is in memory: neighbouring cells, read into a buffer as they go out, each behind the number of its siblings,
 * which is 0 for a whole cell. So a window of whole cells is one piece for the socket.
 */
import {
  CELL_BYTES_MIN,
  cellLength,
  cellPartProof,
  cellPartProofLength,
  type DealHeader,
  encodeCellSiblings,
  NODE_BYTES,
  SIBLING_COUNT_BYTES,
} from "@ppio/core";

/** Bytes of a slot, and the cells that they touch. */
export interface SlotRange {
  readonly header: DealHeader;
  readonly offset: number;
  readonly length: number;
  readonly firstCell: number;
  readonly cellCount: number;
}

/** What a buffer needs for `bytes` of whole cells, however small they are. */
export function windowBufferBytes(bytes: number): number {
  return bytes + Math.ceil(bytes / CELL_BYTES_MIN) * SIBLING_COUNT_BYTES;
}

/** Bytes of all parts of a range, each with its siblings and their number. */
export function partBytes(range: SlotRange): number {
  let siblings = 0;
  for (let row = range.firstCell; row < range.firstCell + range.cellCount; row += 1) {
    const { from, to } = partOf(range, row);
    siblings += cellPartProofLength(range.header, row, from, to - from);
  }
  return range.length + NODE_BYTES * siblings + SIBLING_COUNT_BYTES * range.cellCount;
}

/** Where the range begins and ends in the cell of `row`. */
function partOf({ header, offset, length }: SlotRange, row: number): { readonly from: number; readonly to: number } {
  const start = row * header.cellBytes;
  return { from: Math.max(offset - start, 0), to: Math.min(offset + length - start, cellLength(header, row)) };
}

export class ReadWindow {
  readonly #buffer: Uint8Array;
  readonly #range: SlotRange;

  /** @param buffer `windowBufferBytes` of as many cells as `cells` is asked for */
  constructor(buffer: Uint8Array, range: SlotRange) {
    this.#buffer = buffer;
    this.#range = range;
  }

  /** Where `count` neighbouring cells from `firstRow` on are to be read to. */
  cells(firstRow: number, count: number): readonly Uint8Array[] {
    const { header } = this.#range;
    return Array.from({ length: count }, (_, index) => {
      const at = this.#at(index) + SIBLING_COUNT_BYTES;
      return this.#buffer.subarray(at, at + cellLength(header, firstRow + index));
    });
  }

  /** What goes out of the cells that were read there. */
  pieces(firstRow: number, cells: readonly Uint8Array[]): { readonly pieces: readonly Uint8Array[]; readonly bytes: number } {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    /** Where whole cells that are not among the pieces yet begin in the buffer. */
    let wholeFrom: number | undefined;
    const flushWhole = (to: number): void => {
      if (wholeFrom !== undefined) pieces.push(this.#buffer.subarray(wholeFrom, to));
      wholeFrom = undefined;
    };
    cells.forEach((cell, index) => {
      const at = this.#at(index);
      const { from, to } = partOf(this.#range, firstRow + index);
      bytes += to - from;
      if (to - from === cell.length) {
        this.#buffer.fill(0, at, at + SIBLING_COUNT_BYTES);
        wholeFrom ??= at;
        return;
      }
      flushWhole(at);
      pieces.push(encodeCellSiblings(cellPartProof(this.#range.header, cell, from, to - from)), cell.subarray(from, to));
    });
    const last = cells.length - 1;
    flushWhole(this.#at(last) + SIBLING_COUNT_BYTES + (cells[last]?.length ?? 0));
    return { pieces, bytes };
  }

  #at(index: number): number {
    return index * (this.#range.header.cellBytes + SIBLING_COUNT_BYTES);
  }
}
