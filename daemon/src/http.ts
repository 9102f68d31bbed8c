/**
 * What the daemons' HTTP servers share: errors as JSON by the family's table, and bodies that must keep coming. What a local disk or a defect says stays in the log: strangers get the code and a plain sentence.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ERROR_CODES, type ErrorBody, type ErrorCode, PpioError, toPpioError } from "@ppio/core";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import type { Logger } from "./log.ts";

const JSON_BYTES_MAX = 64 * 1024;
/** A streamed body must bring this much in every `stallMs` of waiting, or its end. */
const STREAM_BYTES_PER_STALL = 64 * 1024;

/** What came of a streamed body and waits for its consumer: then the sender is held back. */
export const STREAM_WAITING_BYTES_MAX = 256 * 1024;

export interface HttpLimits {
  /** For a request's headers. */
  readonly headersMs: number;
  /** For a JSON body. */
  readonly bodyMs: number;
  readonly connectionsMax: number;
}

export const HTTP_LIMITS: HttpLimits = { headersMs: 15_000, bodyMs: 15_000, connectionsMax: 1_024 };

/** An app with JSON bodies (PUT excepted: those are streams); routes are added by `routes`, what they throw is answered by code. */
export function createHttpApp(log: Logger, routes: (app: Express) => void, limits: HttpLimits = HTTP_LIMITS): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use(jsonBody(limits.bodyMs));
  routes(app);
  app.use((request, response) => {
    response
      .status(404)
      .json({ error: { code: "NOT_FOUND", message: `There is no ${request.method} ${request.path} here.` } } satisfies ErrorBody);
  });
  app.use(answerErrors(log));
  return app;
}

function jsonBody(bodyMs: number): RequestHandler {
  const parse = express.json({ limit: JSON_BYTES_MAX, inflate: false });
  return (request, response, next) => {
    if (request.method === "PUT") {
      next();
      return;
    }
    const timer = setTimeout(() => request.socket.destroy(), bodyMs);
    parse(request, response, (error) => {
      clearTimeout(timer);
      next(error);
    });
  };
}

function answerErrors(log: Logger): ErrorRequestHandler {
  return (error, request, response, _next) => answerFailure(log, request, response, error);
}

/** Answers with what went wrong, by the family's table; cuts the connection when an answer is under way. */
export function answerFailure(log: Logger, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const { failure, status, text } = explainFailure(log, request, error);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // A sender that stalled keeps its connection no longer.
  if (failure.code === "TIMEOUT") response.setHeader("connection", "close");
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

/** Ends an answer of lines with one that says what went wrong. */
export function endWithFailure(log: Logger, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const { text } = explainFailure(log, request, error);
  if (response.destroyed) return;
  response.end(`${text}\n`);
}

/** What a stranger is told, as JSON; the log is told all. */
function explainFailure(log: Logger, request: IncomingMessage, error: unknown) {
  const failure = toPpioError(error, codeOfParserError(error));
  const status = ERROR_CODES[failure.code].http;
  if (status >= 500) {
    const [path] = (request.url ?? "").split("?");
    log.error("request failed", { path, code: failure.code, error: failure, cause: failure.cause });
  }
  const body: ErrorBody = { error: { code: failure.code, message: publicMessage(failure), details: failure.details } };
  const text = JSON.stringify(body, (_key, value) => (typeof value === "bigint" ? value.toString() : value));
  return { failure, status, text };
}

/** What Express and its parsers throw carries a status. */
function codeOfParserError(error: unknown): ErrorCode {
  const status = (error as { status?: unknown } | undefined)?.status;
  if (status === 413) return "TOO_LARGE";
  return typeof status === "number" && status < 500 ? "BAD_FORMAT" : "INTERNAL";
}

const PRIVATE_MESSAGES: Partial<Record<ErrorCode, string>> = {
  INTERNAL: "The server failed; its operator's log says more.",
  CONFIG: "The server is not set up well; its operator's log says more.",
  IO: "The server's disk failed; use another one or try again later.",
  NO_SPACE: "The server's disk is full; use another one or try again later.",
};

function publicMessage(failure: PpioError): string {
  const ofTheSystem = failure.cause instanceof Error && "syscall" in failure.cause;
  const isPrivate = ofTheSystem || failure.code === "INTERNAL" || failure.code === "CONFIG";
  return (isPrivate ? PRIVATE_MESSAGES[failure.code] : undefined) ?? failure.message;
}

/**
 * A request's body, piece by piece, as it comes: what waits for the consumer holds the sender back. Only the time spent waiting for the
 * sender counts against it. What came before it broke off is given out first. A piece is gone once the next one is asked for.
 * @throws TIMEOUT when the sender stalls, TRUNCATED when it breaks off
 */
export async function* streamBody(request: IncomingMessage, stallMs: number): AsyncGenerator<Uint8Array> {
  const incoming = new IncomingBody(request);
  let waitedMs = 0;
  let bytes = 0;
  try {
    while (!incoming.isOver) {
      const since = performance.now();
      const pieces = await incoming.take(stallMs - waitedMs);
      waitedMs += performance.now() - since;
      for (const piece of pieces) {
        bytes += piece.length;
        yield piece;
        release(piece);
      }
      if (bytes < STREAM_BYTES_PER_STALL) continue;
      waitedMs = 0;
      bytes = 0;
    }
  } finally {
    incoming.release();
  }
}

/**
 * Frees the buffer that node:http makes for every piece. Left to the collector, which counts such memory, they cost a full collection for
 * every 32 MiB or so.
 */
function release(piece: Uint8Array<ArrayBuffer>): void {
  if (piece.buffer.byteLength === piece.length) piece.buffer.transfer(0);
}

/** Takes a body by its events: an iterator over a request stops and starts its socket for every piece. */
class IncomingBody {
  readonly #request: IncomingMessage;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #failure: PpioError | undefined;
  #wake: () => void = () => undefined;

  constructor(request: IncomingMessage) {
    this.#request = request;
    if (request.destroyed) this.#onBroken();
    request.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onBroken).on("close", this.#onBroken);
  }

  /** Everything was taken. */
  get isOver(): boolean {
    return this.#isEnded && this.#pieces.length === 0;
  }

  /** What has come; waits when that is nothing. None at the end. @throws TIMEOUT, TRUNCATED */
  async take(ms: number): Promise<readonly Uint8Array<ArrayBuffer>[]> {
    if (this.#isWaiting()) await this.#more(ms);
    const pieces = this.#pieces;
    if (pieces.length === 0 && !this.#isEnded) {
      throw this.#failure ?? new PpioError("TIMEOUT", "The body came too slowly; continue from where it stopped.");
    }
    this.#pieces = [];
    this.#waitingBytes = 0;
    if (this.#request.isPaused()) this.#request.resume();
    return pieces;
  }

  release(): void {
    const request = this.#request;
    request.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onBroken).off("close", this.#onBroken);
    if (!this.#isEnded) request.pause();
  }

  #isWaiting(): boolean {
    return this.#pieces.length === 0 && !this.#isEnded && this.#failure === undefined;
  }

  #more(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.#wake = () => {
        clearTimeout(timer);
        // What the socket brings in this turn of the event loop is taken together.
        setImmediate(resolve);
      };
    });
  }

  readonly #onData = (piece: Uint8Array<ArrayBuffer>): void => {
    this.#pieces.push(piece);
    this.#waitingBytes += piece.length;
    if (this.#waitingBytes >= STREAM_WAITING_BYTES_MAX) this.#request.pause();
    this.#wake();
  };

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#wake();
  };

  readonly #onBroken = (cause?: Error): void => {
    this.#failure ??= new PpioError("TRUNCATED", "The sender broke off; continue from where it stopped.", { cause });
    this.#wake();
  };
}
