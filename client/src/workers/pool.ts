/**
 * Threads that compute for a client (docs/adr/0012-workers.md): started when first needed, each with one task and the next one, the others
 * waiting in order. Without any, tasks run on the calling thread.
 */
import { PpioError } from "@ppio/core/data";
import { createTaskRunner, type SealTask, type TaskRunner } from "./tasks.ts";

/** A thread that answers every task in order; `#worker` starts one on this platform. */
export interface WorkerThread {
  send(task: SealTask): void;
  close(): void;
}

export interface WorkerEvents {
  onAnswer(answer: WorkerAnswer): void;
  /** It is gone, or cannot even start. */
  onFailure(cause: unknown): void;
}

export type WorkerAnswer = { readonly roots: readonly Uint8Array[] } | { readonly error: string };

export type StartWorker = (events: WorkerEvents) => WorkerThread;

export interface WorkerPool {
  /** Threads besides the caller's; above 0 all memory of tasks is shared memory. */
  readonly size: number;
  /** @returns the cells' roots, per slot */
  seal(task: SealTask): Promise<readonly Uint8Array[]>;
  /** Ends the threads; tasks under way fail with CANCELLED. */
  close(): void;
}

/** No thread but the caller's. */
export function createInlinePool(): WorkerPool {
  const runner = createTaskRunner();
  return { size: 0, seal: async (task) => runner.seal(task), close: () => {} };
}

interface Waiting {
  readonly task: SealTask;
  readonly resolve: (roots: readonly Uint8Array[]) => void;
  readonly reject: (error: PpioError) => void;
}

interface Member {
  readonly thread: WorkerThread;
  /** The one that is computed, and the next one, so that the thread never waits for us. */
  readonly tasks: Waiting[];
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
    let hasAnswered = false;
    const member: Member = {
      tasks,
      thread: start({
        onAnswer: (answer) => {
          hasAnswered = true;
          const done = tasks.shift();
          assign();
          if ("roots" in answer) done?.resolve(answer.roots);
          else done?.reject(new PpioError("INTERNAL", `A worker failed: ${answer.error}`));
        },
        onFailure: (cause) => {
          if (!members.delete(member)) return;
          if (hasAnswered) {
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
      for (const { task, resolve, reject } of queue.splice(0)) Promise.resolve(task).then(runner.seal).then(resolve, reject);
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
      member.thread.send(waiting.task);
    }
  };

  return {
    size,
    seal: (task) =>
      new Promise((resolve, reject) => {
        if (isClosed) throw closed();
        queue.push({ task, resolve, reject });
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
