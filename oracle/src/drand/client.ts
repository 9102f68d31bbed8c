/**
 * Rounds from several drand endpoints. The one that answered last is asked first; the next one joins when it has failed, or when it has not
 * answered in time, and the first valid answer counts. A period's beacon has a deadline, so an endpoint that hangs must not cost it.
 */
import { isPpioError, PpioError } from "@ppio/core";
import { type Logger, pause } from "@ppio/daemon";
import { DrandEndpoint } from "./endpoint.ts";

/** An endpoint that has not answered for so long is raced by the next one. */
const RACE_AFTER_MS = 500;

export interface DrandClientOptions {
  /** Tried in this order, the one that worked last first. */
  readonly urls: readonly string[];
  /** The contract's key, in the layout of EIP-2537, 0x hex. */
  readonly publicKey: string;
  readonly log: Logger;
  readonly fetch?: typeof fetch;
  readonly raceAfterMs?: number;
}

export interface DrandClient {
  /** The compressed signature of a round. @throws NETWORK when no endpoint gives a valid one */
  signatureOf(round: number): Promise<Uint8Array>;
}

export function createDrandClient(options: DrandClientOptions): DrandClient {
  const { urls, publicKey, log, raceAfterMs = RACE_AFTER_MS } = options;
  const ask = options.fetch ?? fetch;
  let order = urls.map((url) => new DrandEndpoint({ url, publicKey, fetch: ask }));

  const fail = (endpoint: DrandEndpoint, round: number, error: unknown): string => {
    const isLie = isPpioError(error, "CORRUPT") || isPpioError(error, "BAD_FORMAT");
    if (isLie) log.warn("a beacon endpoint gives what is not the contract's beacon; it is asked last", { url: endpoint.url, round, error });
    else log.debug("a beacon endpoint failed", { url: endpoint.url, round, error });
    if (isLie) order = [...order.filter((one) => one !== endpoint), endpoint];
    return error instanceof Error ? error.message : String(error);
  };

  return {
    async signatureOf(round) {
      const failures: string[] = [];
      const over = new AbortController();
      /** Undefined when the endpoint has failed; nothing is left of it then. */
      const attempt = async (endpoint: DrandEndpoint): Promise<Uint8Array | undefined> => {
        try {
          const signature = await endpoint.signatureOf(round, over.signal);
          order = [endpoint, ...order.filter((one) => one !== endpoint)];
          return signature;
        } catch (error) {
          if (!over.signal.aborted) failures.push(fail(endpoint, round, error));
          return undefined;
        }
      };
      try {
        const signature = await race(
          order.map((endpoint) => () => attempt(endpoint)),
          raceAfterMs,
          over.signal,
        );
        if (signature !== undefined) return signature;
      } finally {
        over.abort();
      }
      throw new PpioError("NETWORK", `No endpoint gives beacon round ${round}: ${failures.join(" ")}`, { details: { round } });
    },
  };
}

/** Starts one after the other, the next when one has ended with nothing or `afterMs` have passed, until one has something. */
async function race<T>(starts: readonly (() => Promise<T | undefined>)[], afterMs: number, signal: AbortSignal): Promise<T | undefined> {
  const running = new Set<Promise<T | undefined>>();
  const waiting = [...starts];
  while (waiting.length > 0 || running.size > 0) {
    const start = waiting.shift();
    if (start !== undefined) {
      const one = start().finally(() => running.delete(one));
      running.add(one);
    }
    const pauses = waiting.length > 0 ? [pause(afterMs, signal).then(() => undefined)] : [];
    const found = await Promise.race([...running, ...pauses]);
    if (found !== undefined) return found;
  }
  return undefined;
}
