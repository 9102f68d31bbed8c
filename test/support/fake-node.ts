/** A chain's node over JSON-RPC with just enough of a chain behind it: one account, a pool, blocks on demand, and faults to order. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createRpc } from "@ppio/daemon";
import { type JsonRpcProvider, Transaction } from "ethers";

export const FAKE_CHAIN_ID = 31_337;
const HASH = `0x${"11".repeat(32)}`;
const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

interface RpcRequest {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

export class FakeNode {
  readonly #server: Server;
  readonly #receipts = new Map<string, Record<string, unknown>>();
  readonly #pool = new Map<number, Transaction>();
  /** Distinct signed transactions that reached the node, in order. */
  readonly seen: string[] = [];
  readonly mined: Transaction[] = [];
  rpc!: JsonRpcProvider;
  nonce = 0;
  /** Whether a transaction is mined as soon as it arrives. */
  minesAtOnce = true;
  /** Pool only what pays at least this. */
  minFeeWei = 0n;
  /** Every request breaks. */
  isDown = false;
  refusesTransactions = false;
  revertsInBlock = false;
  /** Revert data of every estimate. */
  estimateReverts: string | undefined;

  private constructor() {
    this.#server = createServer((request, response) => {
      if (this.isDown) {
        request.socket.destroy();
        return;
      }
      let text = "";
      request.on("data", (piece: Buffer) => {
        text += piece;
      });
      request.on("end", () => {
        const body = JSON.parse(text) as RpcRequest | RpcRequest[];
        const answer = Array.isArray(body) ? body.map((one) => this.#answer(one)) : this.#answer(body);
        response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
      });
    });
  }

  static async start(): Promise<FakeNode> {
    const node = new FakeNode();
    await new Promise<void>((resolve) => node.#server.listen(0, "127.0.0.1", resolve));
    node.rpc = createRpc(`http://127.0.0.1:${(node.#server.address() as AddressInfo).port}`, FAKE_CHAIN_ID);
    return node;
  }

  async stop(): Promise<void> {
    this.rpc.destroy();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Mines what is due, in order of nonces. */
  mine(): void {
    for (let due = this.#pool.get(this.nonce); due !== undefined; due = this.#pool.get(this.nonce)) {
      this.#pool.delete(this.nonce);
      this.nonce += 1;
      this.mined.push(due);
      this.#receipts.set(String(due.hash), receiptOf(due, this.mined.length, !this.revertsInBlock));
    }
  }

  /** As a reorg does: receipts and nonces are gone. */
  forget(): void {
    this.#receipts.clear();
    this.nonce = 0;
  }

  #answer({ id, method, params }: RpcRequest): Record<string, unknown> {
    try {
      return { jsonrpc: "2.0", id, result: this.#call(method, params) };
    } catch (error) {
      return { jsonrpc: "2.0", id, error: error instanceof RpcFailure ? error.body : { code: -32_000, message: String(error) } };
    }
  }

  #call(method: string, params: readonly unknown[]): unknown {
    switch (method) {
      case "eth_chainId":
        return hex(FAKE_CHAIN_ID);
      case "eth_blockNumber":
        return hex(this.mined.length);
      case "eth_getTransactionCount":
        return hex(this.nonce);
      case "eth_gasPrice":
      case "eth_maxPriorityFeePerGas":
        return hex(1_000_000_000);
      case "eth_getBlockByNumber":
        return blockOf(this.mined.length);
      case "eth_estimateGas":
        if (this.estimateReverts !== undefined) {
          throw new RpcFailure({ code: 3, message: "execution reverted", data: this.estimateReverts });
        }
        return hex(50_000);
      case "eth_sendRawTransaction":
        return this.#take(String(params[0]));
      case "eth_getTransactionReceipt":
        return this.#receipts.get(String(params[0])) ?? null;
      default:
        throw new RpcFailure({ code: -32_601, message: `the fake node does not know ${method}` });
    }
  }

  #take(raw: string): string {
    if (this.refusesTransactions) throw new RpcFailure({ code: -32_000, message: "the pool is full" });
    const transaction = Transaction.from(raw);
    if (!this.seen.includes(raw)) this.seen.push(raw);
    if (transaction.nonce < this.nonce) throw new RpcFailure({ code: -32_000, message: "nonce too low" });
    if ((transaction.maxFeePerGas ?? 0n) >= this.minFeeWei) this.#pool.set(transaction.nonce, transaction);
    if (this.minesAtOnce) this.mine();
    return String(transaction.hash);
  }
}

class RpcFailure extends Error {
  readonly body: Readonly<Record<string, unknown>>;

  constructor(body: Readonly<Record<string, unknown>>) {
    super(String(body["message"]));
    this.body = body;
  }
}

function receiptOf(transaction: Transaction, block: number, succeeds: boolean): Record<string, unknown> {
  return {
    transactionHash: transaction.hash,
    transactionIndex: "0x0",
    blockHash: HASH,
    blockNumber: hex(block),
    from: transaction.from,
    to: transaction.to,
    contractAddress: null,
    cumulativeGasUsed: "0x5208",
    gasUsed: "0x5208",
    effectiveGasPrice: "0x1",
    logs: [],
    logsBloom: `0x${"00".repeat(256)}`,
    status: succeeds ? "0x1" : "0x0",
    type: "0x2",
  };
}

function blockOf(number: number): Record<string, unknown> {
  return {
    hash: HASH,
    parentHash: HASH,
    number: hex(number),
    timestamp: hex(1_700_000_000 + number),
    nonce: "0x0000000000000000",
    difficulty: "0x0",
    gasLimit: "0x1c9c380",
    gasUsed: "0x0",
    miner: `0x${"00".repeat(20)}`,
    extraData: "0x",
    baseFeePerGas: "0x3b9aca00",
    transactions: [],
  };
}
