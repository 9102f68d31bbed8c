/** Asking the chain for a customer: its outage is nobody's defect. */
import { explainRevert, PpioError } from "@ppio/core";

/** @throws CHAIN_UNREACHABLE, CHAIN_REVERT and its kin */
export async function askChain<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    const message = "This provider's chain does not answer; use another provider or try again later.";
    throw explainRevert(cause) ?? new PpioError("CHAIN_UNREACHABLE", message, { cause });
  }
}
