/**
 * What is computed for a batch of rows, on whichever thread: every frame sealed into its data cell, the other cells coded, and all cells
 * hashed while they are in the cache. All memory is the caller's.
 */
import {
  cellLength,
  cellRoots,
  createErasureCoder,
  type ErasureCoder,
  type ObjectPlan,
  type PlanOptions,
  planObject,
} from "@ppio/core/data";
import { type Awaitable, all, then } from "../aes/aes.ts";
import { createSealer, frameOfCell, type SealContext, type Sealer } from "../seal/sealer.ts";

export interface SealTask {
  /** Names `seal` and `plan`, which are the same for all tasks of an object. */
  readonly object: number;
  readonly seal: SealContext;
  readonly plan: PlanOptions;
  readonly firstRow: number;
  readonly rowCount: number;
  /** The rows' plaintext. */
  readonly plain: Uint8Array;
  /** The rows' part of every slot, to be filled. */
  readonly slots: readonly Uint8Array[];
}

/** Objects whose keys are kept between tasks. */
const OBJECTS_MAX = 8;

interface Prepared {
  readonly plan: ObjectPlan;
  readonly sealer: Sealer;
  readonly coder: ErasureCoder;
}

/** The tasks of one thread. */
export interface TaskRunner {
  /** @returns the cells' roots, per slot; at once where the platform's AES is synchronous */
  seal(task: SealTask): Awaitable<readonly Uint8Array[]>;
}

export function createTaskRunner(): TaskRunner {
  const objects = new Map<number, Prepared>();

  const prepare = (task: SealTask): Prepared => {
    const known = objects.get(task.object);
    if (known !== undefined) return known;
    const plan = planObject(task.plan);
    const prepared = { plan, sealer: createSealer(task.seal, plan.header.cellBytes), coder: createErasureCoder(plan.header) };
    const oldest = objects.keys().next();
    if (objects.size >= OBJECTS_MAX && !oldest.done) objects.delete(oldest.value);
    objects.set(task.object, prepared);
    return prepared;
  };

  return {
    seal(task) {
      const prepared = prepare(task);
      return then(sealRows(prepared, task), () => finishRows(prepared, task));
    },
  };
}

/** Seals row by row, so that a cell is written while the one before it is still in the cache. */
function sealRows({ plan, sealer }: Prepared, { firstRow, rowCount, plain, slots }: SealTask): Awaitable<void> {
  const { header } = plan;
  const base = plan.rowPlain(firstRow).offset;
  const sealing: Awaitable<void>[] = [];
  for (let row = firstRow; row < firstRow + rowCount; row += 1) {
    const inSlot = (row - firstRow) * header.cellBytes;
    const length = cellLength(header, row);
    for (let column = 0; column < header.k; column += 1) {
      const cell = row * header.k + column;
      const frame = frameOfCell(plan, cell);
      const start = frame === undefined ? 0 : frame.plainOffset - base;
      const target = slots[column]?.subarray(inSlot, inSlot + length) ?? new Uint8Array();
      sealing.push(sealer.sealInto(target, cell, frame, plain.subarray(start, start + (frame?.plainLength ?? 0))));
    }
  }
  return all(sealing);
}

function finishRows({ plan, coder }: Prepared, { firstRow, slots }: SealTask): readonly Uint8Array[] {
  const { k } = plan.header;
  coder.encode(slots.slice(0, k), slots.slice(k));
  return slots.map((slot) => cellRoots(plan.header, firstRow, slot));
}
