/** The library's transport over node:http: kept connections, no copies of what is sent, bodies as they arrive. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Transport, TransportRequest } from "@ppio/client";
import { freeLent, PpioError } from "@ppio/core";
import { isErrno } from "@ppio/daemon/files";

const SOCKETS_PER_HOST_MAX = 8;
const IDLE_MS = 4_000;

export interface NodeTransport extends Transport {
  /** Ends the kept connections. */
  close(): void;
}

export function createNodeTransport(): NodeTransport {
  const options = { keepAlive: true, maxSockets: SOCKETS_PER_HOST_MAX, timeout: 0, keepAliveMsecs: IDLE_MS };
  const http = new HttpAgent(options);
  const https = new HttpsAgent(options);
  return {
    async request(request) {
      const url = new URL(request.url);
      const answer = await (url.protocol === "https:" ? send(httpsRequest, https, url, request) : send(httpRequest, http, url, request));
      return { status: answer.statusCode ?? 0, body: chunksOf(answer, url) };
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

function send(
  open: typeof httpRequest,
  agent: HttpAgent,
  url: URL,
  { method, headers, body, signal }: TransportRequest,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": String(body.length) };
    const request = open(url, { method, agent, headers: { ...headers, ...length }, ...(signal === undefined ? {} : { signal }) });
    request.once("response", resolve);
    request.once("error", (cause) => {
      if (signal?.aborted && signal.reason instanceof PpioError) reject(signal.reason);
      else reject(networkError(url, cause));
    });
    request.end(body);
  });
}

/** Ending the iteration early gives the connection up. */
async function* chunksOf(answer: IncomingMessage, url: URL): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer) {
      yield chunk as Uint8Array;
      freeLent(chunk as Uint8Array);
    }
  } catch (cause) {
    throw networkError(url, cause);
  }
  if (!answer.complete) throw networkError(url, new Error("the connection broke off"));
}

function networkError(url: URL, cause: unknown): PpioError {
  if (cause instanceof PpioError) return cause;
  const refused = isErrno(cause, "ECONNREFUSED");
  const why = refused ? "nothing listens there" : cause instanceof Error ? cause.message : String(cause);
  return new PpioError("NETWORK", `No answer from ${url.origin}: ${why}.`, { cause, details: { refused } });
}
