/**
 * An RPC node that is away for a minute must not end an operation: calls are repeated with growing pauses for a bounded time,
 * then fail with `CHAIN_UNREACHABLE`. What the contracts refuse is never repeated.
 */
import { PpioError } from "@ppio/core";
import { isError } from "ethers";
import { type Clock, type Log, throwIfAborted, withDeadline } from "../deps.ts";

export interface RetryOptions {
  /** How long an unreachable chain is waited for. */
  readonly patienceMs: number;
  /** Deadline of one call. */
  readonly callMs: number;
}

export const RETRY_DEFAULT: RetryOptions = { patienceMs: 90_000, callMs: 20_000 };

const FIRST_PAUSE_MS = 250;
const PAUSE_MAX_MS = 5_000;
const NETWORK_CODES = new Set(["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "ETIMEDOUT", "EPIPE", "EAI_AGAIN", "UND_ERR_SOCKET"]);

/** Whether the chain could not be asked, as opposed to having said no. */
export function isChainUnreachable(error: unknown): boolean {
  if (error instanceof PpioError) return error.code === "CHAIN_UNREACHABLE" || error.code === "TIMEOUT" || error.code === "NETWORK";
  if (isError(error, "NETWORK_ERROR") || isError(error, "TIMEOUT") || isError(error, "SERVER_ERROR")) return true;
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    const code = (current as { code?: unknown }).code;
    if (typeof code === "string" && NETWORK_CODES.has(code)) return true;
    if (current.message.includes("fetch failed") || current.message.includes("socket hang up")) return true;
    current = current.cause ?? (current as { error?: unknown }).error;
  }
  return false;
}

export interface ChainRetry {
  /** Runs an idempotent `call` until it answers. */
  run<T>(what: string, call: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function createChainRetry(clock: Clock, log: Log, options: RetryOptions = RETRY_DEFAULT): ChainRetry {
  return {
    async run(what, call, signal) {
      const startedMs = clock.nowMs();
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
        throwIfAborted(signal);
        try {
          return await withDeadline(clock, options.callMs, signal, what, call);
        } catch (error) {
          if (!isChainUnreachable(error)) throw error;
          const waitedMs = clock.nowMs() - startedMs;
          if (waitedMs >= options.patienceMs) {
            throw new PpioError(
              "CHAIN_UNREACHABLE",
              `The chain did not answer for ${Math.round(waitedMs / 1000)} s (${what}); check the RPC address and the network, then repeat.`,
              { cause: error },
            );
          }
          log.warn("the chain does not answer; trying again", { what, pauseMs });
          await clock.sleep(pauseMs, signal);
        }
      }
    },
  };
}
