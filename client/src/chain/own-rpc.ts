/**
 * The RPC provider of a client that was given none: Node and browsers alike ask by `fetch`, in bounded time. ethers' own requests leave the
 * connection to a node that never answers open in Node, which keeps the process, and fail in browsers with words of each browser's own.
 */
import type { AddressBook } from "@ppio/core";
import { type FetchGetUrlFunc, FetchRequest, JsonRpcProvider, makeError } from "ethers";

const REQUEST_MS = 10_000;
const POLLING_MS = 500;

export interface OwnRpc {
  readonly provider: JsonRpcProvider;
  /** Ends what is under way. */
  close(): void;
}

export function createOwnRpc({ rpcUrl, chainId }: Pick<AddressBook, "rpcUrl" | "chainId">, requestMs = REQUEST_MS): OwnRpc {
  const closed = new AbortController();
  const request = new FetchRequest(rpcUrl);
  request.timeout = requestMs;
  request.getUrlFunc = getUrlBy(closed.signal);
  const provider = new JsonRpcProvider(request, chainId, { staticNetwork: true, cacheTimeout: -1, pollingInterval: POLLING_MS });
  return {
    provider,
    close: () => {
      provider.destroy();
      closed.abort();
    },
  };
}

function getUrlBy(closed: AbortSignal): FetchGetUrlFunc {
  return async ({ url, method, headers, body, timeout }, cancel) => {
    const cancelled = new AbortController();
    cancel?.addListener(() => cancelled.abort());
    const late = AbortSignal.timeout(timeout);
    try {
      const signal = AbortSignal.any([closed, cancelled.signal, late]);
      const response = await fetch(url, { method, headers, signal, ...(body === null ? {} : { body: body.slice() }) });
      const { status: statusCode, statusText: statusMessage } = response;
      return {
        statusCode,
        statusMessage,
        headers: Object.fromEntries(response.headers),
        body: new Uint8Array(await response.arrayBuffer()),
      };
    } catch (error) {
      if (cancelled.signal.aborted) throw makeError("request cancelled", "CANCELLED");
      if (late.aborted) throw makeError("request timeout", "TIMEOUT", { operation: "rpc", reason: "timeout" });
      throw makeError(`the node does not answer: ${String(error)}`, "NETWORK_ERROR", { event: "rpc" });
    }
  };
}
