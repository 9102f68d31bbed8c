/**
 * What is computed for an object, on whichever thread. For a batch of rows of a put: every frame sealed into its data cell, the other
 * cells coded, and all cells hashed while they are in the cache. All memory is the caller's.
 */
import { cellLength, cellRoots, keptCoder, type PlanOptions, PpioError, planObject } from "@ppio/core/data";
import { type Awaitable, all, then } from "../aes/aes.ts";
import { lazy } from "../lazy.ts";
import { createSealer, frameOfCell, type SealContext } from "../seal/sealer.ts";
import { type CheckTask, checkCells, type ObjectKeys, type OpenResult, type OpenTask, openFrames } from "./read-tasks.ts";

/** Of a part of an object. */
export interface ObjectTask {
  /** Names `seal` and `plan`, which are the same for all tasks of it (`newObject`). */
  readonly object: number;
  readonly seal: SealContext;
  readonly plan: PlanOptions;
}

export interface SealTask extends ObjectTask {
  readonly firstRow: number;
  readonly rowCount: number;
  /** The rows' part of every slot: every frame's plaintext at the start of its cell, where it is sealed. */
  readonly slots: readonly Uint8Array[];
  /** One byte, 0 until the task has begun: cells must not be sealed twice when a thread has ended amidst. */
  readonly begun: Uint8Array;
}

/** Objects whose keys are kept between tasks. */
const OBJECTS_MAX = 8;

let objects = 0;

/** A name that no object of this process has had. */
export function newObject(): number {
  objects += 1;
  return objects;
}

/** The tasks of one thread. */
export interface TaskRunner {
  /** @returns the cells' roots, per slot; at once where the platform's AES is synchronous */
  seal(task: SealTask): Awaitable<readonly Uint8Array[]>;
  /** @returns whether the cells have the roots */
  check(task: CheckTask): boolean;
  /** @throws CORRUPT */
  open(task: OpenTask): Promise<OpenResult>;
}

export type TaskKind = keyof TaskRunner;
export type TaskOf<K extends TaskKind> = Parameters<TaskRunner[K]>[0];
export type ResultOf<K extends TaskKind> = Awaited<ReturnType<TaskRunner[K]>>;

/** How a task travels to a thread. */
export interface TaskMessage {
  readonly kind: TaskKind;
  readonly task: TaskOf<TaskKind>;
}

export function createTaskRunner(): TaskRunner {
  const objects = new Map<number, ObjectKeys>();

  const prepare = (task: ObjectTask): ObjectKeys => {
    const known = objects.get(task.object);
    if (known !== undefined) return known;
    const plan = planObject(task.plan);
    const { header } = plan;
    const prepared = { plan, sealer: createSealer(task.seal, header.cellBytes), coder: lazy(() => keptCoder(header)) };
    const oldest = objects.keys().next();
    if (objects.size >= OBJECTS_MAX && !oldest.done) objects.delete(oldest.value);
    objects.set(task.object, prepared);
    return prepared;
  };

  return {
    seal(task) {
      if (task.begun[0] !== 0) throw new PpioError("INTERNAL", "A worker thread ended while it sealed; try again.");
      task.begun[0] = 1;
      const prepared = prepare(task);
      return then(sealRows(prepared, task), () => finishRows(prepared, task));
    },
    check: checkCells,
    open(task) {
      return openFrames(prepare(task), task);
    },
  };
}

/** Seals row by row, so that a cell is written while the one before it is still in the cache. */
function sealRows({ plan, sealer }: ObjectKeys, { firstRow, rowCount, slots }: SealTask): Awaitable<void> {
  const { header } = plan;
  const sealing: Awaitable<void>[] = [];
  for (let row = firstRow; row < firstRow + rowCount; row += 1) {
    const inSlot = (row - firstRow) * header.cellBytes;
    const length = cellLength(header, row);
    for (let column = 0; column < header.k; column += 1) {
      const cell = row * header.k + column;
      const frame = frameOfCell(plan, cell);
      const target = slots[column]?.subarray(inSlot, inSlot + length) ?? new Uint8Array();
      sealing.push(sealer.sealInto(target, cell, frame, target.subarray(0, frame?.plainLength ?? 0)));
    }
  }
  return all(sealing);
}

function finishRows({ plan, coder }: ObjectKeys, { firstRow, slots }: SealTask): readonly Uint8Array[] {
  const { k } = plan.header;
  coder().encode(slots.slice(0, k), slots.slice(k));
  return slots.map((slot) => cellRoots(plan.header, firstRow, slot));
}
