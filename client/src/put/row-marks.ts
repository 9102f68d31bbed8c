/**
 * What came out of every row: a hash of its cells' roots. A later pass, or a later attempt with the same salt, must come to the same
 * before anything of the row is sent, because other bytes under the same nonces would give both away. A row's mark is kept, durably
 * where there is a store, before the row is sent.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { equalBytes, PpioError } from "@ppio/core";
import { MARK_BYTES } from "./attempt-store.ts";

const ROOT_BYTES = 32;

export interface RowMarksOptions {
  readonly rows: number;
  /** Marks of the first rows, by an interrupted attempt. */
  readonly known?: Uint8Array;
  /** Durable once it resolves. */
  readonly append?: (marks: Uint8Array) => Promise<void>;
}

export interface RowMarks {
  /**
   * Resolves once the rows may be sent.
   * @param roots cell roots of the rows, per slot @throws CONFLICT when a row is not what it was
   */
  pass(firstRow: number, rowCount: number, roots: readonly Uint8Array[]): Promise<void>;
}

export function createRowMarks({ rows, known = new Uint8Array(), append }: RowMarksOptions): RowMarks {
  const marks = new Uint8Array(rows * MARK_BYTES);
  const isMarked = new Uint8Array(rows);
  marks.set(known.subarray(0, marks.length));
  /** Rows from the first one on that are marked durably. */
  let kept = Math.min(rows, Math.floor(known.length / MARK_BYTES));
  isMarked.fill(1, 0, kept);
  let keeping: Promise<void> | undefined;

  /** Those whose rows follow on rows that are not there yet. */
  const waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };

  const keepMarked = async (): Promise<void> => {
    let end = kept;
    while (isMarked[end] === 1) end += 1;
    if (end === kept) return;
    await append?.(marks.slice(kept * MARK_BYTES, end * MARK_BYTES));
    kept = end;
    wake();
  };

  /** Resolves once all rows up to `end` are kept; whatever is there by then is kept in one go. */
  const keepUpTo = async (end: number): Promise<void> => {
    while (kept < end) {
      const before = kept;
      keeping ??= keepMarked().finally(() => {
        keeping = undefined;
      });
      await keeping;
      if (kept === before) await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };

  return {
    async pass(firstRow, rowCount, roots) {
      for (let at = 0; at < rowCount; at += 1) {
        const row = firstRow + at;
        const mark = markOf(roots, at);
        const before = marks.subarray(row * MARK_BYTES, (row + 1) * MARK_BYTES);
        if (isMarked[row] === 0) before.set(mark);
        else if (!equalBytes(before, mark)) throw new PpioError("CONFLICT", "The source changed while it was stored; store it again.");
        isMarked[row] = 1;
      }
      wake();
      await keepUpTo(firstRow + rowCount);
    },
  };
}

function markOf(roots: readonly Uint8Array[], row: number): Uint8Array {
  const hash = sha256.create();
  for (const ofSlot of roots) hash.update(ofSlot.subarray(row * ROOT_BYTES, (row + 1) * ROOT_BYTES));
  return hash.digest();
}
