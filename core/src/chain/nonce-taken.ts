/** Several processes may send from one account: whoever finds its nonce taken has sent nothing, and may send again under the next one. */
import { isError } from "ethers";

/** What nodes say of a transaction that they have to the letter: another process wants the same, and has signed it under the same nonce. */
const SAME = /already (known|imported)|known transaction/i;

/** Whether a transaction was not taken because another one of the same account has its nonce. */
export function isNonceTaken(error: unknown): boolean {
  if (isError(error, "NONCE_EXPIRED") || isError(error, "REPLACEMENT_UNDERPRICED")) return true;
  const { message } = (isError(error, "UNKNOWN_ERROR") ? (error as { error?: { message?: unknown } }).error : undefined) ?? {};
  return typeof message === "string" && SAME.test(message);
}
