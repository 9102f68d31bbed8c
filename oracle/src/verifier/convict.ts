/** A lie that a probe met, taken to the chain: whoever signs one loses everything, and the finder is paid for saying so. */
import { type LieEvidence, toPpioError } from "@ppio/core";
import { IFraudProofs__factory } from "@ppio/core/interfaces";
import type { VerifierContext } from "./context.ts";

export interface SignedLie {
  readonly providerId: number;
  /** Epoch of the key that signed. */
  readonly operatorEpoch: number;
  readonly evidence: LieEvidence;
}

/** A refusal is told, not thrown: another one was faster, or the answer was given before the deal's first period was over. */
export async function convict({ chain, sender, metrics, log }: VerifierContext, lie: SignedLie): Promise<void> {
  const { providerId, operatorEpoch, evidence } = lie;
  const { answer, signature, cellCount, nodes } = evidence;
  const data = IFraudProofs__factory.createInterface().encodeFunctionData("proveLie", [
    providerId,
    operatorEpoch,
    answer,
    signature,
    cellCount,
    [...nodes],
  ]);
  try {
    const receipt = await sender.send(`lie/${providerId}/${answer.rootsHash}`, { to: chain.book.fraudProofs, data });
    metrics.add("ppio_lies_proven_total", 1);
    log.warn("a provider signed a lie; it loses all its collateral", { providerId, hash: receipt.hash });
  } catch (error) {
    const { code, message } = toPpioError(error);
    log.warn("a signed lie was not taken by the chain", { providerId, code, reason: message });
  }
}
