/** Contestants run in processes of their own and do what the bench asks over their channel, one order at a time. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const BENCH = fileURLToPath(new URL("../", import.meta.url));
const STOP_MS = 10_000;

export type Order = Readonly<Record<string, unknown>> & { readonly order: string };
export type Answer = Readonly<Record<string, unknown>>;
export type Handlers = Readonly<Record<string, (order: Order) => Promise<Answer>>>;

/** In the child: answers orders until the parent goes away. */
export function answerOrders(handlers: Handlers): void {
  process.on("message", (order: Order) => {
    const handler = handlers[order.order] ?? (() => Promise.reject(new Error(`no order ${order.order}`)));
    handler(order).then(
      (answer) => process.send?.({ answer }),
      (error: unknown) => process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once("disconnect", () => process.exit(0));
  process.send?.({ answer: {} });
}

export class Worker {
  readonly #child: ChildProcess;
  readonly #name: string;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
  }

  /** `file` is a path, relative ones to `bench/`; ready when this returns. */
  static async start(file: string, args: readonly string[] = [], execArgv: readonly string[] = []): Promise<Worker> {
    const path = resolve(BENCH, file);
    const worker = new Worker(fork(path, [...args], { execArgv: [...execArgv] }), basename(file));
    await worker.#next();
    return worker;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Orders that are given at once are carried out one after the other. */
  ask<T = Answer>(order: string, details: Answer = {}): Promise<T> {
    const answer = this.#last.then(() => {
      this.#child.send({ order, ...details });
      return this.#next() as Promise<T>;
    });
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** Ends the process once it has written what it owes, a profile for one. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  async #next(): Promise<Answer> {
    const ended = new AbortController();
    const onExit = (code: number | null): void => ended.abort(new Error(`${this.#name} ended with ${code}.`));
    this.#child.once("exit", onExit);
    try {
      const [message] = await once(this.#child, "message", { signal: ended.signal });
      const { answer, error } = message as { readonly answer?: Answer; readonly error?: string };
      if (error !== undefined) throw new Error(`${this.#name}: ${error}`);
      return answer ?? {};
    } catch (error) {
      throw ended.signal.aborted ? ended.signal.reason : error;
    } finally {
      this.#child.off("exit", onExit);
    }
  }
}
