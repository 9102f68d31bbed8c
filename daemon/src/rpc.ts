/** How the chain is asked. */
import {
  FetchRequest,
  type FetchResponse,
  type JsonRpcPayload,
  JsonRpcProvider,
  type JsonRpcResult,
  makeError,
  type PerformActionRequest,
} from "ethers";
import { NewestBlock, type RawBlock } from "./newest-block.ts";
import { createRpcRequests, type RpcRequests } from "./rpc-requests.ts";

const RPC_TIMEOUT_MS = 10_000;
const POLLING_MS = 500;
/** For what is asked in the same moment to go out together; whoever asks one thing after the other pays it each time. */
const BATCH_STALL_MS = 1;

/** ethers reads an answer's text letter by letter, through lists of many times its length; the system's reader needs none. */
class LeanRpc extends JsonRpcProvider {
  readonly #requests: RpcRequests;
  #newest: NewestBlock | undefined;

  constructor(requests: RpcRequests, ...options: ConstructorParameters<typeof JsonRpcProvider>) {
    super(...options);
    this.#requests = requests;
  }

  override destroy(): void {
    super.destroy();
    this.#requests.close();
  }

  /** From now on all loops of this process share what one of them was told of the newest block. */
  shareNewestBlock(): void {
    const ask = async (): Promise<RawBlock> => {
      const block: RawBlock | null = await this.send("eth_getBlockByNumber", ["latest", false]);
      if (block === null) throw makeError("the node has no block yet", "SERVER_ERROR");
      return block;
    };
    this.#newest = new NewestBlock({ ask, now: () => performance.now() });
  }

  override async _perform(request: PerformActionRequest): Promise<unknown> {
    const newest = this.#newest;
    if (newest === undefined) return super._perform(request);
    if (request.method === "getBlockNumber") return (await newest.block()).number;
    if (request.method === "getBlock" && "blockTag" in request && request.blockTag === "latest" && !request.includeTransactions) {
      return newest.block();
    }
    const answer = await super._perform(request);
    // Whoever has seen its transaction in a block must not be told of an older one.
    if (request.method === "getTransactionReceipt" && answer !== null) newest.isAtLeast(Number(answer.blockNumber));
    return answer;
  }

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

export interface RpcOptions {
  /** Several loops ask for the newest block, none of which needs it newer than a fraction of a second. */
  readonly sharesNewestBlock?: boolean;
  /** A request that takes longer has failed. */
  readonly timeoutMs?: number;
}

/** A provider that asks once and fails with an error instead of retrying for ever. */
export function createRpc(
  rpcUrl: string,
  chainId: number,
  { sharesNewestBlock = false, timeoutMs = RPC_TIMEOUT_MS }: RpcOptions = {},
): JsonRpcProvider {
  const requests = createRpcRequests(rpcUrl);
  const request = new FetchRequest(rpcUrl);
  request.timeout = timeoutMs;
  request.getUrlFunc = requests.getUrl;
  // A fixed network: no detection loop that prints to the console while the node is away.
  const rpc = new LeanRpc(requests, request, chainId, {
    ...{ staticNetwork: true, pollingInterval: POLLING_MS, cacheTimeout: -1 },
    ...{ batchMaxCount: 20, batchStallTime: BATCH_STALL_MS },
  });
  if (sharesNewestBlock) rpc.shareNewestBlock();
  return rpc;
}
