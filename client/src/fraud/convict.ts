/** Takes a proven lie to the chain: the provider loses all its collateral, the finder gets its part. */
import { epochOfSigner, isPpioError, PpioError, SIGNER_EPOCHS_MAX, withGasMargin } from "@ppio/core";
import { IFraudProofs__factory } from "@ppio/core/interfaces";
import type { Context } from "../context.ts";
import type { Lie } from "./lie-store.ts";

export interface Conviction {
  readonly lie: Lie;
  /** False when the provider had been evicted already: nothing was sent. */
  readonly isNew: boolean;
  readonly transactionHash: string | undefined;
}

/**
 * Proves a lie and forgets it, also one that can prove nothing any more.
 * @throws REFUSED when the contract does not take it, with its reason
 */
export async function convictLiar(context: Context, lie: Lie, signal?: AbortSignal): Promise<Conviction> {
  const { chain, lies } = context;
  const { providerId, evidence } = lie;
  const isEvicted = async (): Promise<boolean> =>
    (await chain.read("provider", () => chain.registry.evictedAtPeriod(providerId), signal)) !== 0n;
  if (await isEvicted()) {
    await lies.remove(lie.id);
    return { lie, isNew: false, transactionHash: undefined };
  }
  const epoch = await epochOf(context, lie, signal);
  const { answer, signature, cellCount, nodes } = evidence;
  const fraud = IFraudProofs__factory.connect(chain.book.fraudProofs, withGasMargin(chain.signer()));
  const receipt = await chain
    .send({
      what: `proving that provider ${providerId} signed a lie`,
      submit: () => fraud.proveLie(providerId, epoch, answer, signature, cellCount, [...nodes]),
      isDone: isEvicted,
      ...(signal === undefined ? {} : { signal }),
    })
    .catch((error) => {
      if (!isPpioError(error, "CHAIN_REVERT")) throw error;
      throw new PpioError("REFUSED", `The chain does not take this proof: ${error.message}`, { cause: error, retry: "never" });
    });
  await lies.remove(lie.id);
  return { lie, isNew: true, transactionHash: receipt?.hash };
}

/** Epoch in which the signer was the provider's operator. */
async function epochOf({ chain }: Context, { providerId, evidence }: Lie, signal: AbortSignal | undefined): Promise<number> {
  const { operatorEpoch } = await chain.read("provider", () => chain.registry.getProvider(providerId), signal);
  const epoch = await epochOfSigner(evidence.signer, Number(operatorEpoch), (at) =>
    chain.read("operator", () => chain.registry.operatorAt(providerId, at), signal),
  );
  if (epoch !== undefined) return epoch;
  const message = `${evidence.signer} has operated provider ${providerId} in none of its last ${SIGNER_EPOCHS_MAX} epochs.`;
  throw new PpioError("REFUSED", message, { retry: "never" });
}
