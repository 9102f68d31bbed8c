/** How the chain is asked. */
import { FetchRequest, JsonRpcProvider } from "ethers";

const RPC_TIMEOUT_MS = 10_000;
const POLLING_MS = 500;

/** A provider that asks once and fails with an error instead of retrying for ever. */
export function createRpc(rpcUrl: string, chainId: number): JsonRpcProvider {
  const request = new FetchRequest(rpcUrl);
  request.timeout = RPC_TIMEOUT_MS;
  // A fixed network: no detection loop that prints to the console while the node is away.
  return new JsonRpcProvider(request, chainId, { staticNetwork: true, pollingInterval: POLLING_MS, cacheTimeout: -1, batchMaxCount: 20 });
}
