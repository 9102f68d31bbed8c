/** How a read is cut into batches of rows. */
import type { ObjectPlan } from "@ppio/core";
import type { ClientLimits } from "../limits.ts";

/** Batches read ahead of the one in use. */
export const BATCHES_AHEAD = 2;

export interface RowBatch {
  readonly firstRow: number;
  readonly rowCount: number;
  /** Those of the rows that are wanted. */
  readonly firstFrame: number;
  readonly frameCount: number;
}

/**
 * Batches of rows that hold plaintext [from, to), small enough that what is read ahead fits the memory. The first is one row, so that the
 * first byte does not wait for a full batch; the others grow. Made as they are wanted, for those of a large object are many.
 */
export function* rowBatches(
  { getBufferBytes, requestBytesMax }: Pick<ClientLimits, "getBufferBytes" | "requestBytesMax">,
  plan: ObjectPlan,
  from: number,
  to: number,
): Generator<RowBatch, undefined> {
  const { k, cellBytes } = plan.header;
  // Of one the cells are read, the other one is there twice while it is opened, and plaintext of the one before is handed out.
  const fitting = Math.floor(getBufferBytes / (2 * BATCHES_AHEAD * k * cellBytes));
  const rowsPerBatch = Math.max(1, Math.min(fitting, Math.floor(requestBytesMax / cellBytes)));
  const firstWanted = plan.frameAt(from);
  const lastWanted = to > from ? plan.frameAt(to - 1) : firstWanted;
  const lastRow = Math.floor(lastWanted / k);
  let rowCount = 1;
  for (let firstRow = Math.floor(firstWanted / k); firstRow <= lastRow; firstRow += rowCount) {
    if (firstRow * k > firstWanted) rowCount = Math.min(2 * rowCount, rowsPerBatch, lastRow + 1 - firstRow);
    const firstFrame = Math.max(firstWanted, firstRow * k);
    const lastFrame = Math.min(lastWanted, (firstRow + rowCount) * k - 1);
    yield { firstRow, rowCount, firstFrame, frameCount: lastFrame - firstFrame + 1 };
  }
}
