/**
 * The operator's own door: status page and commands, on loopback only and with a token that lies in the data folder (`control.json`, for
 * the daemon's user alone). Browsers show the token as a password; commands need a header too, which no foreign page can send.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { PpioError, toPpioError } from "@ppio/core";
import { answerFailure, atomicWriteFile, HTTP_LIMITS, type Lifecycle } from "@ppio/daemon";
import type { ProviderContext } from "../context.ts";
import type { ExitDesk } from "../exit/exit-desk.ts";
import { HistoryReader } from "./history.ts";
import { contentPolicy, statusPage } from "./page.ts";
import { type Report, readReport } from "./report.ts";

const HOST = "127.0.0.1";
const CONNECTIONS_MAX = 16;
/** A report is asked of the chain at most so often. */
const REPORT_KEPT_MS = 1_000;

/** What `control.json` says. */
export interface ControlFile {
  readonly version: 1;
  readonly url: string;
  readonly token: string;
}

export interface ControlOptions {
  readonly context: ProviderContext;
  readonly exit: ExitDesk;
  readonly lifecycle: Lifecycle;
}

type Handler = (response: ServerResponse) => Promise<void> | void;

/** @throws CONFIG when the port is taken */
export async function startControl({ context, exit, lifecycle }: ControlOptions): Promise<ControlFile> {
  const { config, log } = context;
  const token = randomBytes(24).toString("base64url");
  const history = new HistoryReader(context.chain, context.providerId);
  let kept: { readonly at: number; readonly report: Promise<Report> } | undefined;
  const report = (): Promise<Report> => {
    if (kept === undefined || context.now() - kept.at >= REPORT_KEPT_MS)
      kept = { at: context.now(), report: readReport(context, exit, history) };
    return kept.report;
  };
  const routes: Readonly<Record<string, Handler>> = {
    "GET /": async (response) => {
      const nonce = randomBytes(16).toString("base64");
      const html = statusPage(await report(), nonce);
      response.setHeader("content-security-policy", contentPolicy(nonce));
      answer(response, "text/html; charset=utf-8", html);
    },
    "GET /status": async (response) => answerJson(response, await report()),
    "POST /exit": async (response) => {
      await exit.begin(context.now());
      answerJson(response, exit.progress);
    },
    "POST /exit/cancel": async (response) => {
      await exit.cancel();
      answerJson(response, exit.progress);
    },
    "POST /damage/give-up": (response) => answerJson(response, { accepted: context.damage.accept() }),
  };
  const server = createServer({ headersTimeout: HTTP_LIMITS.headersMs, requestTimeout: HTTP_LIMITS.bodyMs }, (request, response) => {
    serve(routes, token, request, response).catch((error) => answerFailure(log, request, response, toPpioError(error)));
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new PpioError("CONFIG", `Cannot listen on ${HOST} port ${config.controlPort} for the status page.`, { cause })),
    );
    server.listen(config.controlPort, HOST, resolve);
  });
  const path = join(config.dataDir, "control.json");
  const control: ControlFile = { version: 1, url: `http://${HOST}:${(server.address() as AddressInfo).port}`, token };
  await atomicWriteFile(path, `${JSON.stringify(control)}\n`, { mode: 0o600 });
  lifecycle.onStop("control", async () => {
    await rm(path, { force: true });
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  });
  return control;
}

async function serve(
  routes: Readonly<Record<string, Handler>>,
  token: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader("cache-control", "no-store");
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("referrer-policy", "no-referrer");
  request.resume();
  if (!isAllowed(request, token)) {
    response.setHeader("www-authenticate", 'Basic realm="the token of control.json is the password", charset="UTF-8"');
    response.writeHead(401).end();
    return;
  }
  const handle = routes[`${request.method} ${request.url ?? ""}`];
  if (handle === undefined) throw new PpioError("NOT_FOUND", "There is no such page here.");
  if (request.method === "POST" && request.headers["ppio-control"] !== "1") {
    throw new PpioError("UNAUTHORIZED", 'Commands need the header "ppio-control: 1".');
  }
  await handle(response);
}

function isAllowed(request: IncomingMessage, token: string): boolean {
  const [scheme = "", value = ""] = (request.headers.authorization ?? "").split(" ");
  const shown =
    scheme === "Bearer" ? value : scheme === "Basic" ? Buffer.from(value, "base64").toString("utf8").split(":").slice(1).join(":") : "";
  const [a, b] = [Buffer.from(shown), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function answerJson(response: ServerResponse, body: unknown): void {
  answer(
    response,
    "application/json; charset=utf-8",
    JSON.stringify(body, (_key, value) => (typeof value === "bigint" ? value.toString() : value)),
  );
}

function answer(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(text) }).end(text);
}
