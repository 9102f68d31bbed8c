/**
 * The body of a verified range read (docs/protocol/http.md, "Answer"): a head that ties the served cells' roots to the slot
 * root, then each cell's siblings and bytes. The head is checked before the first byte of a cell is used.
 */
import { PpioError } from "../errors.ts";

export const ANSWER_VERSION = 1;
const FIXED_HEAD_BYTES = 1 + 4 + 2 + 8 + 65;
/** A read names at most this many cells. */
export const ANSWER_CELLS_MAX = 65_536;
export const SIBLINGS_MAX = 80;
/** Before each cell; 0 before a whole one. */
export const SIBLING_COUNT_BYTES = 2;

export interface AnswerHead {
  readonly cellRoots: readonly Uint8Array[];
  /** From the run of cell roots up to the slot root. */
  readonly siblings: readonly Uint8Array[];
  /** Unix milliseconds. */
  readonly servedAt: number;
  /** 65 bytes, the operator's over `ReadAnswer`. */
  readonly signature: Uint8Array;
}

/** version u8 | cellCount u32 | siblingCount u16 | servedAt u64 | signature 65 | cell roots | siblings; integers big endian. */
export function encodeAnswerHead(head: AnswerHead): Uint8Array {
  const words = [...head.cellRoots, ...head.siblings];
  const out = new Uint8Array(FIXED_HEAD_BYTES + 32 * words.length);
  const view = new DataView(out.buffer);
  out[0] = ANSWER_VERSION;
  view.setUint32(1, head.cellRoots.length);
  view.setUint16(5, head.siblings.length);
  view.setBigUint64(7, BigInt(head.servedAt));
  out.set(head.signature, 15);
  words.forEach((word, index) => {
    out.set(word, FIXED_HEAD_BYTES + 32 * index);
  });
  return out;
}

/** Reads exactly `length` bytes of the answer or throws `TRUNCATED`. */
export type ReadExactly = (length: number) => Promise<Uint8Array>;

export async function readAnswerHead(read: ReadExactly, expectedCells: number): Promise<AnswerHead> {
  const fixed = await read(FIXED_HEAD_BYTES);
  const view = new DataView(fixed.buffer, fixed.byteOffset, fixed.byteLength);
  const cellCount = view.getUint32(1);
  const siblingCount = view.getUint16(5);
  if (fixed[0] !== ANSWER_VERSION || cellCount !== expectedCells || siblingCount > SIBLINGS_MAX) {
    throw new PpioError("BAD_FORMAT", "The provider's answer has a malformed head; another provider is asked.");
  }
  const signature = fixed.slice(15, FIXED_HEAD_BYTES);
  const cellRoots = await readWords(read, cellCount);
  const siblings = await readWords(read, siblingCount);
  return { cellRoots, siblings, servedAt: Number(view.getBigUint64(7)), signature };
}

/** siblingCount u16 | siblings: goes before each cell's bytes; no siblings when the whole cell follows. */
export function encodeCellSiblings(siblings: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(SIBLING_COUNT_BYTES + 32 * siblings.length);
  new DataView(out.buffer).setUint16(0, siblings.length);
  siblings.forEach((word, index) => {
    out.set(word, SIBLING_COUNT_BYTES + 32 * index);
  });
  return out;
}

export async function readCellSiblings(read: ReadExactly): Promise<Uint8Array[]> {
  const count = await read(SIBLING_COUNT_BYTES);
  const siblingCount = new DataView(count.buffer, count.byteOffset, SIBLING_COUNT_BYTES).getUint16(0);
  if (siblingCount > SIBLINGS_MAX) throw new PpioError("BAD_FORMAT", "The provider's answer has too many siblings.");
  return readWords(read, siblingCount);
}

async function readWords(read: ReadExactly, count: number): Promise<Uint8Array[]> {
  const bytes = await read(32 * count);
  return Array.from({ length: count }, (_, index) => bytes.slice(32 * index, 32 * index + 32));
}
