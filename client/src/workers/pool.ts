/**
 * Threads that compute for a client (docs/adr/0012-workers.md): started when first needed, each with one task at a time, the others
 * waiting in order. Without any, tasks run on the calling thread.
 */
import { PpioError } from "@ppio/core/data";
import { createTaskRunner, type SealTask } from "./tasks.ts";

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
  busy?: Waiting;
}

/** A thread that fails fails its task alone; the next task starts another one. */
export function createWorkerPool(start: StartWorker, size: number): WorkerPool {
  const members = new Set<Member>();
  const queue: Waiting[] = [];
  let isClosed = false;
  const closed = (): PpioError => new PpioError("CANCELLED", "The client was closed.");

  const next = (member: Member): void => {
    delete member.busy;
    const waiting = queue.shift();
    if (waiting === undefined) return;
    member.busy = waiting;
    member.thread.send(waiting.task);
  };

  const hire = (): Member => {
    const member: Member = {
      thread: start({
        onAnswer: (answer) => {
          const { busy } = member;
          next(member);
          if ("roots" in answer) busy?.resolve(answer.roots);
          else busy?.reject(new PpioError("INTERNAL", `A worker failed: ${answer.error}`));
        },
        onFailure: (cause) => {
          if (!members.delete(member)) return;
          member.busy?.reject(new PpioError("INTERNAL", "A worker thread ended; try again.", { cause }));
          if (queue.length > 0) next(hire());
        },
      }),
    };
    members.add(member);
    return member;
  };

  return {
    size,
    seal: (task) =>
      new Promise((resolve, reject) => {
        if (isClosed) throw closed();
        queue.push({ task, resolve, reject });
        const idle = [...members].find(({ busy }) => busy === undefined) ?? (members.size < size ? hire() : undefined);
        if (idle !== undefined) next(idle);
      }),
    close: () => {
      isClosed = true;
      const gone = [...members].flatMap(({ busy }) => (busy === undefined ? [] : [busy])).concat(queue.splice(0));
      for (const { thread } of members) thread.close();
      members.clear();
      for (const { reject } of gone) reject(closed());
    },
  };
}
