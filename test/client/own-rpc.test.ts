/** How a client asks the chain that was given no provider: in bounded time, and nothing stays behind. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { createOwnRpc } from "../../client/dist/chain/own-rpc.js";
import { isChainUnreachable } from "../../client/dist/chain/retry.js";
import { SilentNode } from "../support/silent-node.ts";

const chainId = 31_337;

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.fail("it was answered"),
    (error: unknown) => error,
  );
}

describe("a client's own RPC provider", () => {
  it("asks and is answered", async () => {
    const server = createServer((request, response) => {
      request.resume().on("end", () => response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: "0x10" })));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const rpc = createOwnRpc({ rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, chainId });
    expect(await rpc.provider.getBlockNumber()).to.equal(16);
    rpc.close();
    server.closeAllConnections();
    server.close();
  });

  it("finds a node that never answers unreachable, and lets go of it", async () => {
    const node = await SilentNode.start();
    const rpc = createOwnRpc({ rpcUrl: node.url, chainId }, 50);
    expect(isChainUnreachable(await failureOf(rpc.provider.getBlockNumber()))).to.equal(true);
    await node.untilOpen(0);
    rpc.close();
    node.stop();
  });

  it("lets go of it when it is closed", async () => {
    const node = await SilentNode.start();
    const rpc = createOwnRpc({ rpcUrl: node.url, chainId });
    rpc.provider.getBlockNumber().catch(() => {});
    await node.untilOpen(1);
    rpc.close();
    await node.untilOpen(0);
    node.stop();
  });

  it("finds a node that is not there unreachable", async () => {
    const node = await SilentNode.start();
    const rpc = createOwnRpc({ rpcUrl: node.url, chainId });
    node.stop();
    expect(isChainUnreachable(await failureOf(rpc.provider.getBlockNumber()))).to.equal(true);
    rpc.close();
  });
});
