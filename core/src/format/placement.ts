/**
 * Where an object's bytes lie in its deal (docs/protocol/placement.md). Data cell q is in slot q mod k at row floor(q / k). A frame
 * fills one cell with its plaintext and a 16-byte tag; the frames of the last row are shorter, all alike but the final one.
 */
import { PpioError } from "../errors.ts";
import { UNIT_BYTES } from "../tree/slot-tree.ts";
import { CELL_BYTES_DEFAULT, CELL_BYTES_MAX, CELL_BYTES_MIN, type DealHeader } from "./headers.ts";

export const TAG_BYTES = 16;
/** Frame numbers are 32 bits wide. */
const FRAMES_MAX = 2 ** 32;

export interface Frame {
  readonly index: number;
  /** Data cell: slot q mod k, row floor(q / k). The frame starts at the cell's first byte. */
  readonly cell: number;
  readonly plainOffset: number;
  readonly plainLength: number;
  /** Offset of the sealed frame in the sealed stream, where gaps do not count. A multiple of 128. */
  readonly streamOffset: number;
  readonly isFinal: boolean;
}

export interface ObjectPlan {
  readonly header: DealHeader;
  readonly sizeBytes: number;
  readonly frameBytes: number;
  readonly frameCount: number;
  frame(index: number): Frame;
  /** Index of the frame that holds the plaintext byte at `offset`. */
  frameAt(offset: number): number;
  /** Plaintext bytes [offset, offset + length) of a row. */
  rowPlain(row: number): { readonly offset: number; readonly length: number };
}

export interface PlanOptions {
  readonly sizeBytes: number;
  readonly k: number;
  readonly n: number;
  readonly cellBytes?: number;
}

/** The header counts cells in powers of two only. */
function checkCellBytes(cellBytes: number): void {
  if (cellBytes < CELL_BYTES_MIN || cellBytes > CELL_BYTES_MAX || !Number.isInteger(Math.log2(cellBytes))) {
    throw new PpioError(
      "USAGE",
      `A cell of ${cellBytes} bytes is not possible; use a power of two from ${CELL_BYTES_MIN} to ${CELL_BYTES_MAX}.`,
    );
  }
}

/** @throws USAGE, TOO_LARGE */
export function planObject(options: PlanOptions): ObjectPlan {
  const { sizeBytes, k, n, cellBytes = CELL_BYTES_DEFAULT } = options;
  checkCellBytes(cellBytes);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new PpioError("USAGE", "An object's size is a whole number of bytes.");
  const frameBytes = cellBytes - TAG_BYTES;
  const rowBytes = k * frameBytes;
  const fullRows = Math.floor(sizeBytes / rowBytes);
  const rest = sizeBytes - fullRows * rowBytes;
  const hasShortRow = rest > 0 || sizeBytes === 0;
  const lastCellBytes = hasShortRow ? UNIT_BYTES * Math.ceil((Math.ceil(rest / k) + TAG_BYTES) / UNIT_BYTES) : cellBytes;
  const lastFrameBytes = lastCellBytes - TAG_BYTES;
  const lastFrames = hasShortRow ? Math.max(1, Math.ceil(rest / lastFrameBytes)) : 0;
  const fullFrames = fullRows * k;
  const frameCount = fullFrames + lastFrames;
  if (frameCount > FRAMES_MAX) throw new PpioError("TOO_LARGE", "The object has too many frames; use larger cells or split it.");

  const frame = (index: number): Frame => {
    if (!Number.isInteger(index) || index < 0 || index >= frameCount) throw new PpioError("USAGE", `There is no frame ${index}.`);
    const isFinal = index === frameCount - 1;
    if (index < fullFrames) {
      return { index, cell: index, plainOffset: index * frameBytes, plainLength: frameBytes, streamOffset: index * cellBytes, isFinal };
    }
    const place = index - fullFrames;
    const plainOffset = fullFrames * frameBytes + place * lastFrameBytes;
    return {
      index,
      cell: index,
      plainOffset,
      plainLength: Math.min(lastFrameBytes, sizeBytes - plainOffset),
      streamOffset: fullFrames * cellBytes + place * lastCellBytes,
      isFinal,
    };
  };

  return {
    header: { k, n, cellBytes, lastCellBytes, rows: fullRows + (hasShortRow ? 1 : 0) },
    sizeBytes,
    frameBytes,
    frameCount,
    frame,
    frameAt: (offset) => {
      const inFull = Math.floor(offset / frameBytes);
      return inFull < fullFrames ? inFull : fullFrames + Math.floor((offset - fullFrames * frameBytes) / lastFrameBytes);
    },
    rowPlain: (row) => ({ offset: row * rowBytes, length: row < fullRows ? rowBytes : rest }),
  };
}

/** A deal whose data cells hold one record's bytes as they are, one after the other, without frames. */
export interface RecordPlan {
  readonly header: DealHeader;
  /** Bytes of all data cells together: the record and its padding. */
  readonly streamBytes: number;
}

/** @throws USAGE */
export function planRecord(options: PlanOptions): RecordPlan {
  const { sizeBytes, k, n, cellBytes = CELL_BYTES_DEFAULT } = options;
  checkCellBytes(cellBytes);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) throw new PpioError("USAGE", "A record has at least one byte.");
  const rowBytes = k * cellBytes;
  const fullRows = Math.floor(sizeBytes / rowBytes);
  const rest = sizeBytes - fullRows * rowBytes;
  const lastCellBytes = rest === 0 ? cellBytes : UNIT_BYTES * Math.ceil(rest / (k * UNIT_BYTES));
  const rows = fullRows + (rest === 0 ? 0 : 1);
  return { header: { k, n, cellBytes, lastCellBytes, rows }, streamBytes: (rows - 1) * rowBytes + k * lastCellBytes };
}
