/** The library's transport over node:http: kept connections, no copies of what is sent, bodies as they arrive. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { RequestStream, Transport, TransportRequest } from "@ppio/client";
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
    stream(request) {
      const url = new URL(request.url);
      return url.protocol === "https:" ? stream(httpsRequest, https, url, request) : stream(httpRequest, http, url, request);
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
    // An answer may come before the body has left, whose memory is somebody else's as soon as there is an answer.
    request.once("response", (answer) => (request.writableFinished ? resolve(answer) : request.once("finish", () => resolve(answer))));
    request.on("error", (cause) => reject(errorOf(url, cause, signal)));
    request.end(body);
  });
}

function stream(
  open: typeof httpRequest,
  agent: HttpAgent,
  url: URL,
  { method, headers, signal }: Omit<TransportRequest, "body">,
): RequestStream {
  const request = open(url, { method, agent, headers: { ...headers }, ...(signal === undefined ? {} : { signal }) });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", (cause) => reject(errorOf(url, cause, signal)));
  });
  return {
    response: response.then((answer) => ({ status: answer.statusCode ?? 0, body: chunksOf(answer, url) })),
    write: (bytes) =>
      new Promise((resolve) => {
        request.write(bytes, (error) => {
          if (!error) resolve();
        });
      }),
    end: () => void request.end(),
  };
}

function errorOf(url: URL, cause: Error, signal: AbortSignal | undefined): PpioError {
  return signal?.aborted && signal.reason instanceof PpioError ? signal.reason : networkError(url, cause);
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
