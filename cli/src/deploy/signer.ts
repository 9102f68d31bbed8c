/** A wallet and a node as one EIP-1193 provider: what Ignition sends, the wallet signs. */
import type { EIP1193Provider } from "@nomicfoundation/ignition-core";
import { type JsonRpcProvider, type TransactionRequest, toBigInt, type Wallet } from "ethers";

interface RpcTransaction {
  readonly to?: string;
  readonly data?: string;
  readonly value?: string;
  readonly nonce: string;
  readonly gas: string;
  readonly gasPrice?: string;
  readonly maxFeePerGas?: string;
  readonly maxPriorityFeePerGas?: string;
}

export function walletProvider(rpc: JsonRpcProvider, wallet: Wallet): EIP1193Provider {
  return {
    request: async ({ method, params = [] }) => {
      if (method === "eth_accounts") return [wallet.address];
      if (method !== "eth_sendTransaction") return rpc.send(method, params as unknown[]);
      const [request] = params as readonly [RpcTransaction];
      const { gas, to, gasPrice, maxFeePerGas, maxPriorityFeePerGas } = request;
      const fees = gasPrice === undefined ? { type: 2, maxFeePerGas, maxPriorityFeePerGas } : { type: 0, gasPrice };
      const transaction: TransactionRequest = {
        ...{ chainId: (await rpc.getNetwork()).chainId, nonce: Number(request.nonce), gasLimit: toBigInt(gas), to: to ?? null },
        ...({ data: request.data ?? "0x", value: request.value ?? 0n, ...fees } as TransactionRequest),
      };
      return rpc.send("eth_sendRawTransaction", [await wallet.signTransaction(transaction)]);
    },
  };
}
