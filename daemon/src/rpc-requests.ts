/**
 * The requests of an RPC provider. ethers' own leave the connection of one that took too long open, with whatever it still waits for: a
 * node that takes connections and never answers would keep every command from ending, and cost a daemon a socket with each question.
 */
import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { gunzipSync } from "node:zlib";
import { type FetchGetUrlFunc, type GetUrlResponse, makeError } from "ethers";

/** A connection that rests is ended by then, sooner than nodes do it: a question that meets their end is lost. */
const IDLE_MS = 4_000;

export interface RpcRequests {
  readonly getUrl: FetchGetUrlFunc;
  /** Ends those that are under way, and the kept connections. */
  close(): void;
}

export function createRpcRequests(url: string): RpcRequests {
  const isSecure = url.startsWith("https:");
  const options = { keepAlive: true, timeout: IDLE_MS } as const;
  const agent = isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  const request = isSecure ? requestHttps : requestHttp;
  return {
    getUrl: ({ url, method, headers, body, timeout }, signal) =>
      new Promise((resolve, reject) => {
        const asked = request(url, { agent, method, headers, timeout }, (response) => {
          read(response).then(resolve, reject);
        });
        asked.once("timeout", () => asked.destroy(makeError("request timeout", "TIMEOUT", { operation: "rpc", reason: "timeout" })));
        asked.on("error", reject);
        signal?.addListener(() => asked.destroy(makeError("request cancelled", "CANCELLED")));
        asked.end(body ?? undefined);
      }),
    close: () => agent.destroy(),
  };
}

async function read(response: IncomingMessage): Promise<GetUrlResponse> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  const { statusCode = 0, statusMessage = "" } = response;
  const whole = Buffer.concat(pieces);
  const body = response.headers["content-encoding"] === "gzip" && whole.length > 0 ? gunzipSync(whole) : whole;
  return { statusCode, statusMessage, headers: plainHeaders(response.headers), body };
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
  );
}
