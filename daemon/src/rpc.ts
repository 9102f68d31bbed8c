/** How the chain is asked. */
import { FetchRequest, type FetchResponse, type JsonRpcPayload, JsonRpcProvider, type JsonRpcResult, makeError } from "ethers";

const RPC_TIMEOUT_MS = 10_000;
const POLLING_MS = 500;

/** ethers reads an answer's text letter by letter, through lists of many times its length; the system's reader needs none. */
class LeanRpc extends JsonRpcProvider {
  override async _send(payload: JsonRpcPayload | JsonRpcPayload[]): Promise<JsonRpcResult[]> {
    const request = this._getConnection();
    request.body = JSON.stringify(payload);
    request.setHeader("content-type", "application/json");
    const response = await request.send();
    response.assertOk();
    const answer = parseAnswer(response);
    return Array.isArray(answer) ? answer : [answer];
  }
}

function parseAnswer(response: FetchResponse): JsonRpcResult | JsonRpcResult[] {
  try {
    return JSON.parse(new TextDecoder().decode(response.body ?? new Uint8Array())) as JsonRpcResult | JsonRpcResult[];
  } catch {
    throw makeError("the node's answer is not JSON", "UNSUPPORTED_OPERATION", { operation: "bodyJson", info: { response } });
  }
}

/** A provider that asks once and fails with an error instead of retrying for ever. */
export function createRpc(rpcUrl: string, chainId: number): JsonRpcProvider {
  const request = new FetchRequest(rpcUrl);
  request.timeout = RPC_TIMEOUT_MS;
  // A fixed network: no detection loop that prints to the console while the node is away.
  return new LeanRpc(request, chainId, { staticNetwork: true, pollingInterval: POLLING_MS, cacheTimeout: -1, batchMaxCount: 20 });
}
