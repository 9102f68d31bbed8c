/** An answer that is paid for: tells once how it ended. */
import type { AnswerReader } from "../peer/body.ts";

/** It came, or was not wanted any more; or it broke off after so many bytes. */
export type AnswerEnd = { readonly isWhole: true } | { readonly isWhole: false; readonly cameBytes: number };

export function paidAnswer(answer: AnswerReader, signal: AbortSignal | undefined, onEnd: (end: AnswerEnd) => void): AnswerReader {
  let cameBytes = 0;
  let hasEnded = false;
  const tell = (end: AnswerEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    onEnd(end);
  };
  const watched = async <T>(bytes: number, work: Promise<T>): Promise<T> => {
    try {
      const result = await work;
      cameBytes += bytes;
      return result;
    } catch (error) {
      // Whoever gives an answer up has asked for it.
      tell(signal?.aborted === true ? { isWhole: true } : { isWhole: false, cameBytes });
      throw error;
    }
  };
  return {
    readExactly: (length) => watched(length, answer.readExactly(length)),
    readInto: (targets) => {
      const bytes = targets.reduce((sum, { length }) => sum + length, 0);
      return watched(bytes, answer.readInto(targets));
    },
    async end() {
      await watched(0, answer.end());
      tell({ isWhole: true });
    },
    async close() {
      tell({ isWhole: true });
      await answer.close();
    },
  };
}
