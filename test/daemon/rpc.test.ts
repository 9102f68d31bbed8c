/** How daemons ask the chain: the newest block once for all their loops. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { createRpc } from "@ppio/daemon";
import { NewestBlock } from "@ppio/daemon/newest-block";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { SilentNode } from "../support/silent-node.ts";

describe("the newest block", () => {
  interface Node {
    asked: number;
    nowMs: number;
    height: number;
    isAway: boolean;
  }

  function newest(): { node: Node; newest: NewestBlock } {
    const node: Node = { asked: 0, nowMs: 1_000, height: 16, isAway: false };
    const ask = async (): Promise<{ number: string }> => {
      node.asked += 1;
      if (node.isAway) throw new Error("node away");
      return { number: `0x${node.height.toString(16)}` };
    };
    return { node, newest: new NewestBlock({ ask, now: () => node.nowMs }) };
  }

  it("is asked for once by all who ask within 400 ms", async () => {
    const { node, newest: shared } = newest();
    const answers = await Promise.all([shared.block(), shared.block()]);
    node.height = 17;
    node.nowMs += 399;
    answers.push(await shared.block());
    expect(answers.map(({ number }) => number)).to.deep.equal(["0x10", "0x10", "0x10"]);
    expect(node.asked).to.equal(1);
    node.nowMs += 1;
    expect((await shared.block()).number).to.equal("0x11");
    expect(node.asked).to.equal(2);
  });

  it("is asked for again after a failure, and once the chain is known to be further", async () => {
    const { node, newest: shared } = newest();
    node.isAway = true;
    const failures = await Promise.allSettled([shared.block(), shared.block()]);
    expect(failures.map(({ status }) => status)).to.deep.equal(["rejected", "rejected"]);
    node.isAway = false;
    await shared.block();
    expect(node.asked).to.equal(2);
    node.height = 17;
    shared.isAtLeast(16);
    expect((await shared.block()).number).to.equal("0x10");
    shared.isAtLeast(17);
    expect((await shared.block()).number).to.equal("0x11");
  });
});

describe("an RPC provider that shares the newest block", () => {
  let server: Server;
  let asked: string[];
  let height: number;

  beforeEach(async () => {
    asked = [];
    height = 16;
    server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(pieces).toString()) as Call | Call[];
        const answer = (Array.isArray(body) ? body : [body]).map(({ id, method }) => {
          asked.push(method);
          return { jsonrpc: "2.0", id, result: resultOf(method) };
        });
        response.setHeader("content-type", "application/json");
        // As public nodes do.
        if (request.headers["accept-encoding"] === "gzip")
          response.setHeader("content-encoding", "gzip").end(gzipSync(JSON.stringify(answer)));
        else response.end(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  interface Call {
    readonly id: number;
    readonly method: string;
  }

  const hash = `0x${"ab".repeat(32)}`;
  const address = `0x${"cd".repeat(20)}`;

  function resultOf(method: string): unknown {
    const number = `0x${height.toString(16)}`;
    if (method === "eth_blockNumber") return number;
    if (method === "eth_getTransactionReceipt") {
      const counts = { transactionIndex: "0x0", gasUsed: "0x1", cumulativeGasUsed: "0x1", effectiveGasPrice: "0x1", status: "0x1" };
      return { blockHash: hash, blockNumber: number, transactionHash: hash, from: address, to: address, logs: [], type: "0x2", ...counts };
    }
    const numbers = { number, timestamp: "0x64", difficulty: "0x0", gasLimit: "0x1", gasUsed: "0x1", baseFeePerGas: "0x1" };
    return { ...numbers, hash, parentHash: hash, nonce: "0x0000000000000000", miner: address, extraData: "0x", transactions: [] };
  }

  it("asks once for its number and for itself, and anew after a receipt from a later block", async () => {
    const rpc = createRpc(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 31_337, { sharesNewestBlock: true });
    try {
      const [number, block, again] = await Promise.all([rpc.getBlockNumber(), rpc.getBlock("latest"), rpc.getBlockNumber()]);
      expect([number, block?.number, block?.timestamp, again]).to.deep.equal([16, 16, 100, 16]);
      expect(asked).to.deep.equal(["eth_getBlockByNumber"]);
      height = 17;
      await rpc.getTransactionReceipt(hash);
      expect(await rpc.getBlockNumber()).to.equal(17);
    } finally {
      rpc.destroy();
    }
  });

  it("asks each time unless it was told to share", async () => {
    const rpc = createRpc(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 31_337);
    try {
      await rpc.getBlockNumber();
      await rpc.getBlockNumber();
      expect(asked).to.deep.equal(["eth_blockNumber", "eth_blockNumber"]);
    } finally {
      rpc.destroy();
    }
  });
});

describe("an RPC provider whose node takes connections and never answers", () => {
  let node: SilentNode;
  beforeEach(async () => {
    node = await SilentNode.start();
  });
  afterEach(() => node.stop());

  it("keeps none of them after its time", async () => {
    const rpc = createRpc(node.url, 31_337, { timeoutMs: 50 });
    expect(await codeOf(() => rpc.getBlockNumber())).to.include("code=TIMEOUT");
    await node.untilOpen(0);
    rpc.destroy();
  });

  it("keeps none of them when it is destroyed", async () => {
    const rpc = createRpc(node.url, 31_337);
    rpc.getBlockNumber().catch(() => {});
    await node.untilOpen(1);
    rpc.destroy();
    await node.untilOpen(0);
  });
});
