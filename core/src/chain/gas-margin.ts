/**
 * State may change between estimate and block: another one's settlement, a new period's first write. An exact gas limit would then
 * run out, so every transaction gets a margin; what is not used is not paid.
 */
import type { ContractRunner, Signer } from "ethers";

const GAS_PERCENT = 130n;

export type SendingRunner = ContractRunner & Required<Pick<ContractRunner, "sendTransaction">>;

/** A runner for contracts that sends as `signer` does, with room in its gas limits. */
export function withGasMargin(signer: Signer): SendingRunner {
  return {
    provider: signer.provider,
    call: (request) => signer.call(request),
    resolveName: (name) => signer.resolveName(name),
    estimateGas: (request) => signer.estimateGas(request),
    sendTransaction: async (request) => {
      const gasLimit = request.gasLimit ?? ((await signer.estimateGas(request)) * GAS_PERCENT) / 100n;
      return signer.sendTransaction({ ...request, gasLimit });
    },
  };
}
