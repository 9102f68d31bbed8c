/** Requests to providers over plain sockets (docs/adr/0027-http-client.md): kept connections, bodies taken as they are wanted. */
import { PpioError, type RequestStream, type Transport, type TransportRequest, type TransportResponse } from "@ppio/core";
import { Connections } from "./connections.ts";
import { beginExchange } from "./exchange.ts";
import { failureOf } from "./failure.ts";

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
    stream: (request) => streamOver(connections, new URL(request.url), request),
    close: () => connections.close(),
  };
}

async function requestOver(connections: Connections, url: URL, request: TransportRequest): Promise<TransportResponse> {
  const { body, method, signal } = request;
  const head = requestHead(url, request, body === undefined ? [] : [`content-length: ${body.length}`]);
  for (;;) {
    const taken = await connections.take(url, signal);
    const exchange = beginExchange(taken, signal);
    // An answer may come before the body has left, whose memory is somebody else's as soon as there is an answer.
    const left = exchange.end(taken.connection.write(head, ...(body === undefined ? [] : [body])));
    const isRepeatable = taken.wasUsed && method === "GET";
    const response = await exchange.answer(url, isRepeatable ? "again" : "fail");
    if (response === undefined) continue;
    await left;
    return response;
  }
}

/** The request goes over a connection as soon as there is one; what is written before waits for it. */
function streamOver(connections: Connections, url: URL, request: Omit<TransportRequest, "body">): RequestStream {
  const { signal } = request;
  const begun = (async () => {
    const head = requestHead(url, request, ["transfer-encoding: chunked"]);
    const taken = await connections.take(url, signal);
    const exchange = beginExchange(taken, signal);
    void taken.connection.write(head);
    return { exchange, connection: taken.connection };
  })();
  const response = begun.then(async ({ exchange }) => {
    const answer = await exchange.answer(url, "fail");
    if (answer === undefined) throw new Error("the connection broke off");
    return answer;
  });
  // Whoever has no connection never writes: the answer says why.
  begun.catch(() => {});
  return {
    response: response.catch((cause) => {
      throw failureOf(url, signal, cause);
    }),
    write: (bytes) =>
      begun.then(
        ({ connection }) => connection.write(`${bytes.length.toString(16)}\r\n`, bytes, "\r\n"),
        () => new Promise<never>(() => {}),
      ),
    end: () =>
      void begun.then(
        ({ exchange, connection }) => exchange.end(connection.write("0\r\n\r\n")),
        () => {},
      ),
  };
}

function requestHead(url: URL, { method, headers = {} }: Omit<TransportRequest, "body">, framing: readonly string[]): string {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`];
  if (url.username !== "" || url.password !== "") {
    throw new PpioError("BAD_FORMAT", "An address of a provider has no user name and no password; leave them out.");
  }
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  lines.push(...framing);
  const text = lines.join("\r\n");
  if (lines.some((line) => /[^\t\x20-\x7e]/.test(line)))
    throw new PpioError("BAD_FORMAT", "A header of a request has characters that none may have.");
  return `${text}\r\n\r\n`;
}
