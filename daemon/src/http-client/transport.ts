/** Requests to providers over plain sockets (docs/adr/0027-http-client.md): kept connections, bodies taken as they are wanted. */
import { PpioError, type Transport, type TransportRequest, type TransportResponse } from "@ppio/core";
import { isErrno } from "../files.ts";
import { Connections, type TakenConnection } from "./connections.ts";
import { responseBody } from "./response-body.ts";
import { framingOf, type ResponseHead, readHead } from "./response-head.ts";

export interface NodeTransport extends Transport {
  /** Ends the kept connections. */
  close(): void;
}

export function createNodeTransport(): NodeTransport {
  const connections = new Connections();
  return {
    async request(request) {
      const url = new URL(request.url);
      try {
        return await requestOver(connections, url, request);
      } catch (cause) {
        throw failureOf(url, request.signal, cause);
      }
    },
    close: () => connections.close(),
  };
}

async function requestOver(connections: Connections, url: URL, request: TransportRequest): Promise<TransportResponse> {
  const head = requestHead(url, request);
  for (;;) {
    const taken = await connections.take(url, request.signal);
    const response = await answered(taken, url, request, head);
    if (response !== undefined) return response;
  }
}

/** Nothing when the connection had been closed before the request came there, so that another one may be tried. */
async function answered(
  { connection, wasUsed, give }: TakenConnection,
  url: URL,
  { body, method, signal }: TransportRequest,
  requestHead: string,
): Promise<TransportResponse | undefined> {
  const onAbort = (): void => connection.destroy(signal?.reason);
  const done = (isReusable: boolean): void => {
    signal?.removeEventListener("abort", onAbort);
    give(isReusable);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  let head: ResponseHead | undefined;
  let hasFailed = false;
  try {
    connection.write(requestHead, body);
    head = await readHead(connection).catch((error) => {
      hasFailed = error instanceof PpioError || signal?.aborted === true;
      if (hasFailed || !wasUsed || method !== "GET") throw error;
      return undefined;
    });
    if (head === undefined) {
      if (!wasUsed || method !== "GET") throw new Error("the connection broke off");
      done(false);
      return undefined;
    }
    const framing = framingOf(head);
    const isKept = head.isKept && framing.kind !== "end";
    const whole = responseBody(connection, framing, (isWhole) => done(isWhole && isKept));
    return { status: head.status, body: withFailures(whole, url, signal) };
  } catch (error) {
    done(false);
    throw error;
  }
}

function requestHead(url: URL, { method, headers = {}, body }: TransportRequest): string {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`];
  if (url.username !== "" || url.password !== "") {
    throw new PpioError("BAD_FORMAT", "An address of a provider has no user name and no password; leave them out.");
  }
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push(`content-length: ${body.length}`);
  const text = lines.join("\r\n");
  if (lines.some((line) => /[^\t\x20-\x7e]/.test(line)))
    throw new PpioError("BAD_FORMAT", "A header of a request has characters that none may have.");
  return `${text}\r\n\r\n`;
}

/** The same body; what breaks it is called by its name. */
function withFailures(body: TransportResponse["body"], url: URL, signal: AbortSignal | undefined): TransportResponse["body"] {
  const { fill, close } = body;
  return {
    ...(fill === undefined
      ? {}
      : {
          fill: (target) =>
            fill(target).catch((cause) => {
              throw failureOf(url, signal, cause);
            }),
        }),
    ...(close === undefined ? {} : { close }),
    async *[Symbol.asyncIterator]() {
      try {
        yield* body;
      } catch (cause) {
        throw failureOf(url, signal, cause);
      }
    },
  };
}

function failureOf(url: URL, signal: AbortSignal | undefined, cause: unknown): PpioError {
  if (signal?.aborted && signal.reason instanceof PpioError) return signal.reason;
  if (cause instanceof PpioError) return cause;
  const refused = isErrno(cause, "ECONNREFUSED");
  const why = refused ? "nothing listens there" : cause instanceof Error ? cause.message : String(cause);
  return new PpioError("NETWORK", `No answer from ${url.origin}: ${why}.`, { cause, details: { refused } });
}
