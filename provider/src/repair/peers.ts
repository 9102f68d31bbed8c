/** Talking to other providers: who they are, how long one waits for them, what is tried again, and what the traffic is. */
import { createProviderApi, isTransient, PpioError, type ProviderApi, type ResponseBody, type Transport } from "@ppio/core";
import type { ChainConnection } from "@ppio/daemon";
import { createNodeTransport } from "@ppio/daemon/http-client/transport";
import { askChain } from "../ask-chain.ts";
import type { ProviderMetrics } from "../metrics.ts";
import type { Peer, RepairContext } from "./context.ts";

const REQUEST_MS = 10_000;
/** Slower than this is stalled. */
const BYTES_PER_SECOND_MIN = 64 << 10;
const TRIES_MAX = 4;
const PAUSE_MS = 500;

/** @throws CHAIN_UNREACHABLE */
export async function loadPeer({ registry }: ChainConnection, providerId: number): Promise<Peer> {
  const record = await askChain(() => registry.getProvider(providerId));
  const { owner, operator, endpoint, failureDomain } = record;
  const operatorEpoch = Number(record.operatorEpoch);
  return { providerId, owner, operator, operatorEpoch, endpoint, failureDomain, isEvicted: record.evictedAtPeriod !== 0n };
}

/** A peer whose reads are paid for when it wants money. */
export function paidApi({ api, payer }: RepairContext, peer: Peer): ProviderApi {
  return payer?.api(api(peer.endpoint), peer) ?? api(peer.endpoint);
}

/** Deadline for a request that moves `bytes`. */
export function within(signal: AbortSignal, bytes = 0): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS + Math.ceil((bytes * 1000) / BYTES_PER_SECOND_MIN))]);
}

/** Tries again while the wire fails, with growing pauses; what a peer decides is final. */
export async function persist<T>(context: Pick<RepairContext, "sleep">, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1, pauseMs = PAUSE_MS; ; attempt += 1, pauseMs *= 2) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw new PpioError("CANCELLED", "The repair was stopped.", { cause: error });
      if (attempt >= TRIES_MAX || !isTransient(error)) throw error;
      await context.sleep(pauseMs, signal);
    }
  }
}

/** Every body's bytes, heads and siblings included, are counted as they pass. */
export function countedPeers(metrics: ProviderMetrics): (endpoint: string) => ProviderApi {
  // Its connections keep no process alive.
  const plain = createNodeTransport();
  const onRead = (bytes: number): void => metrics.add("ppio_repair_read_bytes_total", bytes);
  const transport: Transport = {
    async request(request) {
      if (request.method === "PUT") metrics.add("ppio_repair_sent_bytes_total", request.body?.length ?? 0);
      const response = await plain.request(request);
      return request.method === "GET" ? { ...response, body: counted(response.body, onRead) } : response;
    },
  };
  return (endpoint) => createProviderApi(endpoint, transport);
}

function counted(body: ResponseBody, onRead: (bytes: number) => void): ResponseBody {
  const { fill, close } = body;
  return {
    ...(close === undefined ? {} : { close }),
    ...(fill === undefined
      ? {}
      : {
          async fill(targets) {
            const count = await fill(targets);
            onRead(count);
            return count;
          },
        }),
    async *[Symbol.asyncIterator]() {
      for await (const chunk of body) {
        onRead(chunk.length);
        yield chunk;
      }
    },
  };
}
