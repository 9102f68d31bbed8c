/**
 * Flushes shared by all who write at the same time. While one round is under way, requests gather; the next round flushes each file and
 * folder once, all at the same time, so that a journalling file system needs one commit for all of them. A caller is released only by
 * a round that began after it asked; it never learns of another caller's failure.
 */

export interface SyncTarget {
  /** Same key, same file or folder. */
  readonly key: string;
  sync(): Promise<void>;
}

export class GroupCommit {
  #waiting = new Map<string, { readonly target: SyncTarget; readonly waiters: PromiseWithResolvers<void>[] }>();
  #running: Promise<void> | undefined;

  /** Returns once all of `targets` are on the disk. @throws what the disk throws */
  async sync(...targets: readonly SyncTarget[]): Promise<void> {
    const released = targets.map((target) => this.#enqueue(target));
    this.#running ??= this.#run();
    // All must have ended before the caller closes its files.
    const results = await Promise.allSettled(released);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #enqueue(target: SyncTarget): Promise<void> {
    const waiter = withResolvers<void>();
    const known = this.#waiting.get(target.key);
    if (known === undefined) this.#waiting.set(target.key, { target, waiters: [waiter] });
    else known.waiters.push(waiter);
    return waiter.promise;
  }

  async #run(): Promise<void> {
    // Whoever asks in the same turn of the event loop joins the first round.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.size > 0) {
      const round = [...this.#waiting.values()];
      this.#waiting = new Map();
      await Promise.all(
        round.map(async ({ target, waiters }) => {
          try {
            await target.sync();
            for (const waiter of waiters) waiter.resolve();
          } catch (error) {
            for (const waiter of waiters) waiter.reject(error);
          }
        }),
      );
    }
    this.#running = undefined;
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** Node 20 has no Promise.withResolvers. */
function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
