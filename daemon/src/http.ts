/**
 * What the daemons' HTTP servers share: limits, and errors as JSON by the family's table. What a local disk or a defect says stays in the log:
 * strangers get the code and a plain sentence.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ERROR_CODES, type ErrorBody, type ErrorCode, type PpioError, toPpioError } from "@ppio/core";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import type { Logger } from "./log.ts";

const JSON_BYTES_MAX = 64 * 1024;
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
