/**
 * Threads that compute for a client (docs/adr/0012-workers.md): started when first needed, each with one task and the next one, the others
 * waiting in order. Without any, tasks run on the calling thread.
 */
import { type ErrorCode, PpioError } from "@ppio/core/data";
import { type OpenTask, openingMemory } from "./read-tasks.ts";
import { createTaskRunner, type ResultOf, type TaskKind, type TaskMessage, type TaskOf, type TaskRunner } from "./tasks.ts";

/** A thread that answers every task in order; `#worker` starts one on this platform. */
export interface WorkerThread {
  /** @param transfer memory that changes hands with it */
  send(message: TaskMessage, transfer: ArrayBuffer[]): void;
  close(): void;
}

export interface WorkerEvents {
  onAnswer(answer: WorkerAnswer): void;
  /** It is gone, or cannot even start. */
  onFailure(cause: unknown): void;
}

export type WorkerAnswer = { readonly result: unknown } | { readonly error: { readonly code: ErrorCode; readonly message: string } };

export type StartWorker = (events: WorkerEvents) => WorkerThread;

export interface WorkerPool {
  /** Threads besides the caller's; above 0 a put's memory is shared memory. */
  readonly size: number;
  /** A read's memory (`openingMemory`) goes with its task and comes back with the result. */
  run<K extends TaskKind>(kind: K, task: TaskOf<K>): Promise<ResultOf<K>>;
  /** Ends the threads; tasks under way fail with CANCELLED. */
  close(): void;
}

/** No thread but the caller's. */
export function createInlinePool(): WorkerPool {
  const runner = createTaskRunner();
  return { size: 0, run: (kind, task) => runHere(runner, kind, task), close: () => {} };
}

async function runHere<K extends TaskKind>(runner: TaskRunner, kind: K, task: TaskOf<K>): Promise<ResultOf<K>> {
  const run = runner[kind] as (task: TaskOf<K>) => ResultOf<K> | Promise<ResultOf<K>>;
  return run(task);
}

/** Below this, all is done before a thread has started. */
const WORKERS_FROM_BYTES = 8 << 20;

/** Who computes for an object, or a part of one, of `sizeBytes`. */
export function workersFor(workers: WorkerPool, sizeBytes: number): WorkerPool {
  return sizeBytes < WORKERS_FROM_BYTES ? createInlinePool() : workers;
}

interface Waiting extends TaskMessage {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: PpioError) => void;
}

interface Member {
  readonly thread: WorkerThread;
  /** The one that is computed, and the next one, so that the thread never waits for us. */
  readonly tasks: Waiting[];
  /** Until then it gets copies: what it was sent may have to be computed elsewhere. */
  hasAnswered: boolean;
}

const TASKS_PER_THREAD = 2;

/**
 * A thread that fails fails its tasks alone; the next task starts another one. One that fails before it has answered anything cannot be
 * started here, as in a bundle that left it out: then all tasks run on the calling thread.
 */
export function createWorkerPool(start: StartWorker, size: number): WorkerPool {
  const members = new Set<Member>();
  const queue: Waiting[] = [];
  let isClosed = false;
  let here: TaskRunner | undefined;
  const closed = (): PpioError => new PpioError("CANCELLED", "The client was closed.");

  const hire = (): Member => {
    const tasks: Waiting[] = [];
    const member: Member = {
      tasks,
      hasAnswered: false,
      thread: start({
        onAnswer: (answer) => {
          member.hasAnswered = true;
          const done = tasks.shift();
          assign();
          if ("result" in answer) done?.resolve(answer.result);
          else done?.reject(new PpioError(answer.error.code, answer.error.message));
        },
        onFailure: (cause) => {
          if (!members.delete(member)) return;
          if (member.hasAnswered) {
            for (const { reject } of tasks) reject(new PpioError("INTERNAL", "A worker thread ended; try again.", { cause }));
          } else {
            here ??= createTaskRunner();
            queue.unshift(...tasks);
          }
          assign();
        },
      }),
    };
    members.add(member);
    return member;
  };

  /** Gives waiting tasks to threads that have none, then to new threads, then to those that have one. */
  const assign = (): void => {
    if (here !== undefined) {
      const runner = here;
      for (const { kind, task, resolve, reject } of queue.splice(0)) {
        runHere(runner, kind, task).then(resolve, reject);
      }
      return;
    }
    for (let waiting = queue[0]; waiting !== undefined; waiting = queue[0]) {
      const least = [...members].reduce<Member | undefined>(
        (a, b) => (a === undefined || b.tasks.length < a.tasks.length ? b : a),
        undefined,
      );
      const member = least !== undefined && (least.tasks.length === 0 || members.size === size) ? least : hire();
      if (member.tasks.length === TASKS_PER_THREAD) return;
      queue.shift();
      member.tasks.push(waiting);
      const { kind, task } = waiting;
      member.thread.send({ kind, task }, kind === "open" && member.hasAnswered ? openingMemory(task as OpenTask) : []);
    }
  };

  return {
    size,
    run: <K extends TaskKind>(kind: K, task: TaskOf<K>) =>
      new Promise<ResultOf<K>>((resolve, reject) => {
        if (isClosed) throw closed();
        queue.push({ kind, task, resolve: (result) => resolve(result as ResultOf<K>), reject });
        assign();
      }),
    close: () => {
      isClosed = true;
      const gone = [...members].flatMap(({ tasks }) => tasks).concat(queue.splice(0));
      for (const { thread } of members) thread.close();
      members.clear();
      for (const { reject } of gone) reject(closed());
    },
  };
}
