/** Every failure of a chain call as an error of the family. */
import { explainRevert, PpioError, toPpioError } from "@ppio/core";
import { isChainUnreachable } from "./retry.ts";

export function explain(error: unknown): PpioError {
  if (error instanceof PpioError) return error;
  if (isChainUnreachable(error)) {
    return new PpioError("CHAIN_UNREACHABLE", "The chain does not answer; check the RPC address and the network.", { cause: error });
  }
  return explainRevert(error) ?? toPpioError(error);
}
