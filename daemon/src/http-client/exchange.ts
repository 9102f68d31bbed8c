/** One request and its answer on a connection, which goes back to the others when both are whole. */
import { PpioError, type ResponseBody, type TransportResponse } from "@ppio/core";
import type { TakenConnection } from "./connections.ts";
import { failureOf } from "./failure.ts";
import { responseBody } from "./response-body.ts";
import { framingOf, type ResponseHead, readHead } from "./response-head.ts";

export interface Exchange {
  /**
   * Waits for the answer's head.
   * @param ifGone what to do when the connection ends before a byte of it came: nothing is returned, or it fails
   */
  answer(url: URL, ifGone: "again" | "fail"): Promise<TransportResponse | undefined>;
  /** The request is whole once `left` is done. @returns when that is, or when the connection is gone */
  end(left: Promise<void>): Promise<void>;
}

/** From now on the signal ends the connection, until the exchange is over. */
export function beginExchange({ connection, give }: TakenConnection, signal: AbortSignal | undefined): Exchange {
  let isEnded = false;
  let isSent = false;
  let isAnswered = false;
  let isOver = false;
  const onAbort = (): void => {
    connection.destroy(signal?.reason);
    over(false);
  };
  const over = (isReusable: boolean): void => {
    if (isOver) return;
    isOver = true;
    signal?.removeEventListener("abort", onAbort);
    give(isReusable);
  };
  const whole = (): void => {
    if (isSent && isAnswered) over(true);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();

  return {
    async answer(url, ifGone) {
      let head: ResponseHead | undefined;
      try {
        head = await readHead(connection).catch((error) => {
          if (error instanceof PpioError || signal?.aborted === true || ifGone === "fail") throw error;
          return undefined;
        });
        if (head === undefined) {
          if (ifGone === "fail") throw new Error("the connection broke off");
          over(false);
          return undefined;
        }
        const framing = framingOf(head);
        const isKept = head.isKept && framing.kind !== "end";
        const body = responseBody(connection, framing, (isWhole) => {
          // Who has been answered sends nothing more.
          if (!isWhole || !isKept || !isEnded) return over(false);
          isAnswered = true;
          whole();
        });
        return { status: head.status, body: withFailures(body, url, signal) };
      } catch (error) {
        over(false);
        throw error;
      }
    },
    async end(left) {
      isEnded = true;
      await new Promise<void>((resolve) => {
        const forget = connection.onGone(resolve);
        void left.then(() => {
          forget();
          isSent = true;
          whole();
          resolve();
        });
      });
    },
  };
}

/** The same body; what breaks it is called by its name. */
function withFailures(body: ResponseBody, url: URL, signal: AbortSignal | undefined): ResponseBody {
  const { fill, close } = body;
  return {
    ...(fill === undefined
      ? {}
      : {
          fill: async (targets) => {
            try {
              return await fill(targets);
            } catch (cause) {
              throw failureOf(url, signal, cause);
            }
          },
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
