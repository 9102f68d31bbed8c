/** Kept connections, some per host: taken for one request each, and given back when another one may follow. */
import { Connection } from "./connection.ts";

const PER_HOST_MAX = 8;
/** Servers close what is idle for longer, 5 s where it is Node; we are first. */
const IDLE_MS = 4_000;

export interface TakenConnection {
  readonly connection: Connection;
  /** Whether requests went over it before: then it may have been closed without our knowing. */
  readonly wasUsed: boolean;
  /** To be called once. */
  give(isReusable: boolean): void;
}

interface Resting {
  readonly connection: Connection;
  /** Ends its rest. */
  readonly wake: () => void;
}

interface Host {
  readonly resting: Resting[];
  readonly waiting: (() => void)[];
  open: number;
}

export class Connections {
  readonly #hosts = new Map<string, Host>();
  #isClosed = false;

  /** Waits while the host has as many as it may. @throws whatever the system says, or the signal's reason */
  async take(url: URL, signal?: AbortSignal): Promise<TakenConnection> {
    const host = this.#host(url.origin);
    for (;;) {
      const rested = host.resting.pop();
      if (rested === undefined) {
        if (host.open < PER_HOST_MAX) break;
        await this.#turn(host, signal);
        continue;
      }
      // One that has just ended says so only once everything is done that is due at this moment.
      if (!rested.connection.isIdle) continue;
      rested.wake();
      return this.#taken(url.origin, host, rested.connection, true);
    }
    host.open += 1;
    try {
      return this.#taken(url.origin, host, await Connection.open(url, signal), false);
    } catch (error) {
      this.#gone(url.origin, host);
      throw error;
    }
  }

  /** Ends those that rest, and keeps no more. */
  close(): void {
    this.#isClosed = true;
    for (const { resting } of this.#hosts.values()) for (const { connection } of [...resting]) connection.destroy();
  }

  #host(origin: string): Host {
    const known = this.#hosts.get(origin);
    if (known !== undefined) return known;
    const fresh = { resting: [], waiting: [], open: 0 };
    this.#hosts.set(origin, fresh);
    return fresh;
  }

  #turn(host: Host, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = (): void => {
        host.waiting.splice(host.waiting.indexOf(turn), 1);
        reject(signal?.reason);
      };
      if (signal?.aborted) return reject(signal.reason);
      host.waiting.push(turn);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #taken(origin: string, host: Host, connection: Connection, wasUsed: boolean): TakenConnection {
    return {
      connection,
      wasUsed,
      give: (isReusable) => {
        if (!isReusable || this.#isClosed || !connection.isIdle) {
          connection.destroy();
          this.#gone(origin, host);
          return;
        }
        this.#rest(origin, host, connection);
        host.waiting.shift()?.();
      },
    };
  }

  #rest(origin: string, host: Host, connection: Connection): void {
    const timer = setTimeout(() => connection.destroy(), IDLE_MS).unref();
    const wake = (): void => {
      clearTimeout(timer);
      forget();
      connection.use();
    };
    const entry = { connection, wake };
    host.resting.push(entry);
    const forget = connection.onGone(() => {
      clearTimeout(timer);
      const at = host.resting.indexOf(entry);
      if (at >= 0) host.resting.splice(at, 1);
      this.#gone(origin, host);
    });
    connection.rest();
  }

  #gone(origin: string, host: Host): void {
    host.open -= 1;
    host.waiting.shift()?.();
    if (host.open === 0 && host.waiting.length === 0) this.#hosts.delete(origin);
  }
}
