/**
 * One kept connection. What arrives lies in one piece of memory for the connection's life and is copied from there to where it is wanted,
 * as it arrives when it is known where that is, which costs a fraction of what node:http needs (docs/adr/0027-http-client.md). Nothing is
 * read from the socket before somebody takes it.
 */
import { connect as connectPlain, type OnReadOpts, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { PpioError } from "@ppio/core";
import type { Scatter } from "./scatter.ts";

const RECEIVED_BYTES = 64 << 10;

/** Node's types leave `onread` out, its manual does not. */
type TlsOptions = ConnectionOptions & { readonly onread: OnReadOpts };

export class Connection {
  readonly #socket: Socket;
  readonly #received: Uint8Array;
  /** Of `#received`, what nobody has taken yet. */
  #start = 0;
  #end = 0;
  #isEnded = false;
  #failure: Error | undefined;
  /** Where bytes go as they come, and how many yet. */
  #wanted: { readonly into: Scatter; left: number } | undefined;
  /** Whoever waits for more. */
  #wake: (() => void) | undefined;
  /** It rests: nothing may come. */
  #isResting = false;
  /** Told when it is closed, by whoever. A promise for all would keep what every request waits for. */
  readonly #onGone = new Set<() => void>();

  private constructor(open: (onread: OnReadOpts) => Socket) {
    this.#received = new Uint8Array(RECEIVED_BYTES);
    this.#socket = open({ buffer: this.#received, callback: (count) => this.#onBytes(count) });
    this.#socket.setNoDelay(true);
    this.#socket.on("end", () => {
      this.#isEnded = true;
      this.#changed();
    });
    this.#socket.on("error", (error) => {
      this.#failure ??= error;
    });
    this.#socket.on("close", () => {
      this.#failure ??= new Error("the connection broke off");
      this.#changed();
      for (const told of this.#onGone) told();
      this.#onGone.clear();
    });
  }

  /** @throws whatever the system says, or the signal's reason */
  static open(url: URL, signal?: AbortSignal): Promise<Connection> {
    const isTls = url.protocol === "https:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
    const connection = new Connection((onread) => {
      const plain = { host, port, onread };
      return isTls
        ? connectTls({ ...plain, servername: serverName(host), ALPNProtocols: ["http/1.1"] } as TlsOptions)
        : connectPlain(plain);
    });
    const socket = connection.#socket;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => connection.destroy(signal?.reason);
      const done = (): void => {
        signal?.removeEventListener("abort", onAbort);
        if (connection.#failure === undefined) resolve(connection);
        else reject(connection.#failure);
      };
      socket.once(isTls ? "secureConnect" : "connect", done);
      socket.once("close", done);
      signal?.addEventListener("abort", onAbort, { once: true });
      if (signal?.aborted) onAbort();
    });
  }

  /** Whether all that was written has left, so that another request may follow. */
  get isIdle(): boolean {
    return this.#failure === undefined && !this.#isEnded && this.#socket.writableLength === 0 && this.#start === this.#end;
  }

  /** Resolves once the system has taken all of it, and its memory may be changed; never when the connection breaks before. */
  write(...pieces: readonly (string | Uint8Array)[]): Promise<void> {
    return new Promise((resolve) => {
      const left = (error?: Error | null): void => {
        if (!error) resolve();
      };
      this.#socket.cork();
      for (const [at, piece] of pieces.entries()) {
        const done = at === pieces.length - 1 ? left : undefined;
        if (typeof piece === "string") this.#socket.write(piece, "latin1", done);
        else this.#socket.write(piece, done);
      }
      this.#socket.uncork();
    });
  }

  /** What has come and was not taken, at least a byte; nothing at the end. Lent until the next call. @throws whatever broke it */
  async some(): Promise<Uint8Array | undefined> {
    while (this.#start === this.#end) if (!(await this.#more())) return undefined;
    return this.#received.subarray(this.#start, this.#end);
  }

  /** Takes `count` bytes of what `some` gave. */
  skip(count: number): void {
    this.#start += count;
  }

  /** @returns bytes that were put there, fewer than `count` only at the end @throws whatever broke it */
  async fill(into: Scatter, count: number): Promise<number> {
    const wanted = { into, left: count };
    this.#give(wanted);
    while (wanted.left > 0) {
      this.#wanted = wanted;
      try {
        if (!(await this.#more())) break;
      } finally {
        this.#wanted = undefined;
      }
    }
    return count - wanted.left;
  }

  /** Of what has come, as much as is wanted. */
  #give(wanted: { readonly into: Scatter; left: number }): void {
    const count = Math.min(wanted.left, this.#end - this.#start);
    wanted.into.put(this.#received.subarray(this.#start, this.#start + count));
    this.#start += count;
    wanted.left -= count;
  }

  /** @param told when it is closed, by whoever; at once when it has been @returns takes that back */
  onGone(told: () => void): () => void {
    if (this.#socket.closed) told();
    else this.#onGone.add(told);
    return () => void this.#onGone.delete(told);
  }

  /** Waits for nothing more, without keeping the process alive, until it is used again or closed. */
  rest(): void {
    this.#isResting = true;
    this.#socket.unref();
    this.#socket.resume();
  }

  /** The end of a rest. */
  use(): void {
    this.#isResting = false;
    this.#socket.ref();
  }

  destroy(reason?: unknown): void {
    this.#failure ??= reason instanceof Error ? reason : new PpioError("CANCELLED", "The connection was given up.");
    this.#socket.destroy();
    this.#changed();
  }

  /** Once all is taken: waits until what is wanted is there, or anything when that is not said. @returns whether more came */
  async #more(): Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isEnded) return false;
    this.#socket.resume();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#start < this.#end || this.#wanted?.left === 0) return true;
    if (this.#failure !== undefined) throw this.#failure;
    return false;
  }

  /** @returns false to be sent nothing more for now */
  #onBytes(count: number): boolean {
    // Bytes that nobody has asked for: whatever comes next on this connection cannot be trusted.
    if (this.#isResting) this.destroy();
    this.#start = 0;
    this.#end = count;
    const wanted = this.#wanted;
    if (wanted !== undefined && wanted.left > 0) this.#give(wanted);
    if (wanted !== undefined && wanted.left > 0) return true;
    this.#changed();
    return false;
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** TLS names hosts, not addresses. */
function serverName(host: string): string {
  return /^[\d.]+$|:/.test(host) ? "" : host;
}
