/** What the daemons' HTTP servers share: errors as JSON by the family's table, and a listener that closes for good. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ERROR_CODES, type ErrorBody, toPpioError } from "@ppio/core";
import express, { type ErrorRequestHandler, type Express } from "express";
import type { Logger } from "./log.ts";

const JSON_BYTES_MAX = 64 * 1024;
const HEADERS_TIMEOUT_MS = 15_000;

/** An app with JSON bodies; routes are added by `routes`, what they throw is answered by code. */
export function createHttpApp(log: Logger, routes: (app: Express) => void): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use(express.json({ limit: JSON_BYTES_MAX }));
  routes(app);
  app.use((request, response) => {
    response
      .status(404)
      .json({ error: { code: "NOT_FOUND", message: `There is no ${request.method} ${request.path} here.` } } satisfies ErrorBody);
  });
  const answerError: ErrorRequestHandler = (error, request, response, _next) => {
    const isParserError = typeof error?.status === "number" && error.status < 500;
    const failure = toPpioError(error, isParserError ? "BAD_FORMAT" : "INTERNAL");
    const status = ERROR_CODES[failure.code].http;
    if (status >= 500) log.error("request failed", { path: request.path, code: failure.code, error: failure, cause: failure.cause });
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const body: ErrorBody = { error: { code: failure.code, message: failure.message, details: failure.details } };
    response
      .status(status)
      .type("application/json")
      .send(JSON.stringify(body, (_key, value) => (typeof value === "bigint" ? value.toString() : value)));
  };
  app.use(answerError);
  return app;
}

export interface Listener {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export async function listen(app: Express, options: { readonly host: string; readonly port: number }): Promise<Listener> {
  const server: Server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0 }, app);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
