/**
 * A request's body, taken straight into its consumer's memory. node:http gives every piece to its request's `push`, which is replaced here:
 * a readable stream between the two costs as much as receiving.
 */
import type { IncomingMessage } from "node:http";
import { PpioError } from "@ppio/core";
import type { ByteSource } from "./byte-source.ts";

/** A body must bring this much in every `stallMs` of waiting, or its end. */
const BYTES_PER_STALL = 64 * 1024;

/** What came of a body and waits for its consumer: then the sender is held back. */
export const BODY_WAITING_BYTES_MAX = 256 * 1024;

/** A piece that came, and how much of it was taken. */
interface Waiting {
  readonly piece: Uint8Array<ArrayBuffer>;
  taken: number;
}

/** What the consumer waits for. */
interface Order {
  readonly target: Uint8Array;
  filled: number;
  readonly resolve: (filled: number) => void;
  readonly reject: (error: unknown) => void;
}

const NOTHING = new Uint8Array(0);

export class RequestBody implements ByteSource {
  readonly #request: IncomingMessage;
  readonly #stallMs: number;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isHeldBack = false;
  #isEnded = false;
  #failure: PpioError | undefined;
  #order: Order | undefined;
  /** Time spent waiting for the sender, and what came in it, since BYTES_PER_STALL were there. */
  #waitedMs = 0;
  #bytes = 0;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param stallMs only time in which something is waited for counts */
  constructor(request: IncomingMessage, stallMs: number) {
    this.#request = request;
    this.#stallMs = stallMs;
    request.on("error", this.#onBroken).on("close", this.#onBroken);
    const early: Uint8Array<ArrayBuffer> | null = request.read();
    if (early !== null) this.#keep(early);
    if (request.complete) this.#isEnded = true;
    else request.push = this.#push;
    if (request.destroyed) this.#onBroken();
  }

  /** @throws TIMEOUT when the sender stalls, TRUNCATED when it breaks off */
  async more(): Promise<boolean> {
    await this.fill(NOTHING);
    return this.#waitingBytes > 0;
  }

  /** @throws TIMEOUT when the sender stalls, TRUNCATED when it breaks off */
  fill(target: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#order = { target, filled: 0, resolve, reject };
      this.#serve();
      if (this.#isHeldBack && this.#waitingBytes < BODY_WAITING_BYTES_MAX) {
        this.#isHeldBack = false;
        this.#request._read(0);
      }
      if (this.#order !== undefined) this.#watch();
    });
  }

  /** Takes nothing more: the rest is read and dropped, so that the connection's next request is heard. */
  release(): void {
    this.#request.off("error", this.#onBroken).off("close", this.#onBroken);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    const order = this.#order;
    if (order !== undefined) this.#settle(order.reject, new PpioError("CANCELLED", "The body is not wanted any more."));
    if (this.#isEnded) return;
    this.#giveBack();
    this.#request.resume();
    this.#request._read(0);
  }

  readonly #push = (piece: Uint8Array<ArrayBuffer> | null): boolean => {
    if (piece === null) {
      this.#isEnded = true;
      // Its own stream ends, as node:http expects before it lets go of a request.
      this.#giveBack();
      this.#request.push(null);
      this.#request.resume();
      this.#serve();
      return false;
    }
    this.#keep(piece);
    this.#serve();
    this.#isHeldBack = this.#waitingBytes >= BODY_WAITING_BYTES_MAX;
    return !this.#isHeldBack;
  };

  #giveBack(): void {
    Reflect.deleteProperty(this.#request, "push");
  }

  #keep(piece: Uint8Array<ArrayBuffer>): void {
    this.#waiting.push({ piece, taken: 0 });
    this.#waitingBytes += piece.length;
    this.#bytes += piece.length;
    if (this.#bytes < BYTES_PER_STALL) return;
    this.#bytes = 0;
    this.#waitedMs = 0;
    this.#since = performance.now();
  }

  /** Brings what waits to where it is wanted. */
  #serve(): void {
    const order = this.#order;
    if (order === undefined) return;
    const { target } = order;
    for (let next = this.#waiting[0]; next !== undefined && order.filled < target.length; next = this.#waiting[0]) {
      const part = next.piece.subarray(next.taken, next.taken + target.length - order.filled);
      target.set(part, order.filled);
      order.filled += part.length;
      next.taken += part.length;
      this.#waitingBytes -= part.length;
      if (next.taken < next.piece.length) break;
      this.#waiting.shift();
      free(next.piece);
    }
    const isServed = target.length === 0 ? this.#waitingBytes > 0 : order.filled === target.length;
    const isFailed = this.#failure !== undefined;
    if (isServed || this.#isEnded || (isFailed && order.filled > 0)) this.#settle(order.resolve, order.filled);
    else if (isFailed) this.#settle(order.reject, this.#failure);
  }

  #settle<T>(tell: (what: T) => void, what: T): void {
    this.#order = undefined;
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#waitedMs += performance.now() - this.#since;
    }
    tell(what);
  }

  #watch(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(this.#onTime, Math.max(0, this.#stallMs - this.#waitedMs));
  }

  readonly #onTime = (): void => {
    const leftMs = this.#stallMs - this.#waitedMs - (performance.now() - this.#since);
    if (leftMs > 0) this.#timer = setTimeout(this.#onTime, leftMs);
    else this.#fail(new PpioError("TIMEOUT", "The body came too slowly; continue from where it stopped."));
  };

  readonly #onBroken = (cause?: Error): void => {
    this.#fail(new PpioError("TRUNCATED", "The sender broke off; continue from where it stopped.", { cause }));
  };

  #fail(failure: PpioError): void {
    if (this.#isEnded) return;
    this.#failure ??= failure;
    this.#serve();
  }
}

/**
 * Frees the buffer that node:http makes for every piece. Left to the collector, which counts such memory, they cost a full collection for
 * every 32 MiB or so.
 */
function free(piece: Uint8Array<ArrayBuffer>): void {
  if (piece.buffer.byteLength === piece.length) piece.buffer.transfer(0);
}
