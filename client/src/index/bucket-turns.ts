/**
 * Who changes a bucket's listing takes a turn: each of a client's writers builds on the one before it, and stores no listing that another one
 * has overtaken. Other processes are met by the head's compare-and-swap alone.
 */
import { cancelled, throwIfAborted } from "../deps.ts";

export interface BucketTurns {
  /** Whether nobody has a turn, nor waits for one. */
  isFree(bucket: string): boolean;
  /** Runs `work` when those before it are done, however they ended. @throws CANCELLED while it waits, and what `work` throws */
  take<T>(bucket: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function createBucketTurns(): BucketTurns {
  /** Of a bucket at which somebody has the turn, those who wait. */
  const queues = new Map<string, (() => void)[]>();
  return {
    isFree: (bucket) => !queues.has(bucket),
    async take(bucket, work, signal) {
      throwIfAborted(signal);
      const queue = queues.get(bucket);
      if (queue === undefined) queues.set(bucket, []);
      else await turnIn(queue, signal);
      try {
        return await work();
      } finally {
        const next = queues.get(bucket)?.shift();
        if (next === undefined) queues.delete(bucket);
        else next();
      }
    },
  };
}

function turnIn(queue: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    };
    const onAbort = (): void => {
      queue.splice(queue.indexOf(turn), 1);
      reject(cancelled(signal?.reason));
    };
    queue.push(turn);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
