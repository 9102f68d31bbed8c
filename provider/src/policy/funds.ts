/** Coin for gas: told early, and no new slots while it is short, since a proof that cannot be paid for costs collateral. */
import type { ProviderContext } from "../context.ts";

/** Of a proof in a bad case: with the beacon's round and many holes. */
const PROOF_GAS = 400_000n;
/** Below so many proofs at the present fee the operator is told. */
const TELL_BELOW_PROOFS = 100n;
/** Below so many nothing new is taken. */
const REFUSE_BELOW_PROOFS = 20n;

export async function watchFunds({ chain, operator, alerts, admission, metrics }: ProviderContext): Promise<void> {
  const [coinWei, fees] = await Promise.all([chain.rpc.getBalance(operator.address), chain.rpc.getFeeData()]);
  const proofWei = PROOF_GAS * (fees.maxFeePerGas ?? fees.gasPrice ?? 1n);
  const proofs = proofWei === 0n ? TELL_BELOW_PROOFS : coinWei / proofWei;
  metrics.set("ppio_gas_coin", Number(coinWei) / 1e18);
  metrics.set("ppio_gas_proofs", Number(proofs));
  admission.set("funds", proofs < REFUSE_BELOW_PROOFS);
  if (proofs >= TELL_BELOW_PROOFS) {
    alerts.clear("low-funds");
    return;
  }
  const message = `The operator ${operator.address} has coin for about ${proofs} more proofs; send it some, or periods will be missed.`;
  alerts.raise({ kind: "low-funds", message, details: { coinWei, proofs } });
}
