/** Several processes may send from one account: whoever finds its nonce taken has sent nothing, and may send again under the next one. */
import { isError } from "ethers";

/** Whether a transaction was not taken because another one of the same account has its nonce. */
export function isNonceTaken(error: unknown): boolean {
  return isError(error, "NONCE_EXPIRED") || isError(error, "REPLACEMENT_UNDERPRICED");
}
