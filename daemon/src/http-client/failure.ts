/** What broke a request, by the family's names. */
import { PpioError } from "@ppio/core";
import { isErrno } from "../files.ts";

export function failureOf(url: URL, signal: AbortSignal | undefined, cause: unknown): PpioError {
  if (signal?.aborted && signal.reason instanceof PpioError) return signal.reason;
  if (cause instanceof PpioError) return cause;
  const refused = isErrno(cause, "ECONNREFUSED");
  const why = refused ? "nothing listens there" : cause instanceof Error ? cause.message : String(cause);
  return new PpioError("NETWORK", `No answer from ${url.origin}: ${why}.`, { cause, details: { refused } });
}
