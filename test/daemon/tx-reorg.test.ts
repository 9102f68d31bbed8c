/** The sender of transactions against a real node: reorgs, foreign nonces, forgotten pools, fees. */
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createLogger, createRpc, pause, TxSender, type TxTiming } from "@ppio/daemon";
import { expect } from "chai";
import { type JsonRpcProvider, Transaction, Wallet } from "ethers";
import { codeOf } from "../support/code-of.ts";
import { freePort } from "../support/ports.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const CHAIN_ID = 31_337;
const KEY = `0x${"42".repeat(32)}`;
const CALL = { to: `0x${"aa".repeat(20)}`, data: "0x01" };
const TIMING: TxTiming = { pollMs: 5, bumpAfterMs: 60_000, urgentBumpAfterMs: 60_000, takenAfterMs: 100, gapAfterMs: 500 };
const log = createLogger({ component: "test", write: () => undefined });

function anvilBinary(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve("@foundry-rs/anvil-linux-amd64/bin/anvil");
  } catch {
    return undefined;
  }
}

describe("sending transactions on a node that reorganises", function () {
  this.timeout(60_000);
  let node: ChildProcess;
  let rpc: JsonRpcProvider;
  let file: string;
  let stop: AbortController;
  const wallet = (): Wallet => new Wallet(KEY, rpc);

  before(function () {
    if (anvilBinary() === undefined) this.skip();
  });

  beforeEach(async () => {
    const port = await freePort();
    const args = ["--hardfork", "prague", "--port", String(port), "--chain-id", String(CHAIN_ID), "--no-mining", "--accounts", "1"];
    node = spawn(anvilBinary() ?? "", [...args, "--quiet"], { stdio: "ignore" });
    rpc = createRpc(`http://127.0.0.1:${port}`, CHAIN_ID);
    while ((await rpc.send("eth_chainId", []).catch(() => undefined)) === undefined) await new Promise(setImmediate);
    await rpc.send("anvil_setBalance", [wallet().address, "0xde0b6b3a7640000"]);
    await mine(3);
    file = join(await temporaryFolder(), "transactions.json");
    stop = new AbortController();
  });

  afterEach(async () => {
    stop?.abort();
    rpc?.destroy();
    if (node !== undefined) {
      const ended = new Promise((resolve) => node.once("exit", resolve));
      node.kill();
      await ended;
    }
    await removeTemporaryFolders();
  });

  const mine = (blocks = 1): Promise<unknown> => rpc.send("anvil_mine", [`0x${blocks.toString(16)}`]);
  const open = (timing: Partial<TxTiming> = {}): Promise<TxSender> =>
    TxSender.open({ file, rpc, wallet: wallet(), log, signal: stop.signal, timing: { ...TIMING, ...timing } });
  const pool = async (): Promise<Record<string, { nonce: string; hash: string; maxFeePerGas: string }>> => {
    const { pending } = (await rpc.send("txpool_content", [])) as { pending: Record<string, Record<string, never>> };
    return Object.values(pending)[0] ?? {};
  };
  const untilInPool = async (count = 1): Promise<void> => {
    while (Object.keys(await pool()).length < count) await new Promise(setImmediate);
  };
  const minedCount = async (): Promise<number> => rpc.getTransactionCount(wallet().address, "latest");

  it("sends the very same transaction again when a reorg has dropped it, also after a restart", async () => {
    const sender = await open();
    const sent = sender.send("a", CALL);
    await untilInPool();
    await mine();
    const first = await sent;
    await rpc.send("anvil_reorg", [2, []]);
    await rpc.send("anvil_dropAllTransactions", []);
    expect(await rpc.getTransactionReceipt(first.hash)).to.equal(null);
    await sender.close();
    const again = (await open()).send("a", CALL);
    await untilInPool();
    await mine();
    expect((await again).hash).to.equal(first.hash);
    expect(await minedCount()).to.equal(1);
  });

  it("takes a new nonce when a reorg has given the old one to somebody else, and doubles nothing", async () => {
    const sender = await open();
    const sent = sender.send("a", CALL);
    await untilInPool();
    await mine();
    const first = await sent;
    const foreign = await wallet().signTransaction({
      ...{ to: CALL.to, nonce: 0, gasLimit: 30_000, type: 2, chainId: CHAIN_ID },
      ...{ maxFeePerGas: 9_000_000_000n, maxPriorityFeePerGas: 9_000_000_000n },
    });
    await rpc.send("anvil_reorg", [2, [[foreign, 0]]]);
    await rpc.send("anvil_dropAllTransactions", []);
    expect(await minedCount(), "the foreign one holds the nonce").to.equal(1);
    const again = sender.send("a", CALL);
    await untilInPool();
    await mine();
    const second = await again;
    expect(second.hash).to.not.equal(first.hash);
    expect((await rpc.getTransaction(second.hash))?.nonce).to.equal(1);
  });

  it("brings a transaction back that the node has forgotten", async () => {
    const sender = await open({ bumpAfterMs: 50 });
    const sent = sender.send("a", CALL);
    await untilInPool();
    await rpc.send("anvil_dropAllTransactions", []);
    await untilInPool();
    await mine();
    expect((await sent).status).to.equal(1);
    expect(await minedCount()).to.equal(1);
  });

  it("gives up an intent whose nonce somebody else used, and goes on with the next", async () => {
    const sender = await open();
    const sent = codeOf(sender.send("a", CALL));
    await untilInPool();
    await rpc.send("anvil_dropAllTransactions", []);
    const fees = { maxFeePerGas: 9_000_000_000n, maxPriorityFeePerGas: 9_000_000_000n };
    const foreign = await wallet().signTransaction({ to: CALL.to, nonce: 0, gasLimit: 30_000, type: 2, chainId: CHAIN_ID, ...fees });
    await rpc.send("eth_sendRawTransaction", [foreign]);
    await mine();
    expect(await sent).to.equal("CONFLICT");
    const again = sender.send("a", CALL);
    await untilInPool();
    await mine();
    expect((await again).status).to.equal(1);
    expect(await minedCount()).to.equal(2);
  });

  it("follows a spike of fees until the transaction is mined", async () => {
    const sender = await open({ bumpAfterMs: 30 });
    const sent = sender.send("a", CALL);
    await untilInPool();
    const firstFee = BigInt(Object.values(await pool())[0]?.maxFeePerGas ?? 0);
    const spikeWei = firstFee * 20n;
    await rpc.send("anvil_setNextBlockBaseFeePerGas", [`0x${spikeWei.toString(16)}`]);
    await mine();
    expect(await minedCount(), "too cheap for the block").to.equal(0);
    for (let fee = firstFee; fee < spikeWei; ) {
      fee = BigInt(Object.values(await pool())[0]?.maxFeePerGas ?? 0);
      await rpc.send("anvil_setNextBlockBaseFeePerGas", [`0x${spikeWei.toString(16)}`]);
    }
    await mine();
    const receipt = await sent;
    expect(Transaction.from((await rpc.getTransaction(receipt.hash)) ?? {}).nonce).to.equal(0);
    expect(await minedCount()).to.equal(1);
  });

  it("lets what is urgent go first, and hurries what stands in its way", async () => {
    const sender = await open({ urgentBumpAfterMs: 30 });
    const slow = sender.send("slow", CALL);
    await untilInPool();
    const slowFee = BigInt(Object.values(await pool())[0]?.maxFeePerGas ?? 0);
    const order: string[] = [];
    const later = sender.send("later", CALL).then(() => order.push("later"));
    const urgent = sender.send("urgent", CALL, "urgent").then(() => order.push("urgent"));
    while (BigInt(Object.values(await pool())[0]?.maxFeePerGas ?? 0) <= slowFee) await new Promise(setImmediate);
    let isOver = false;
    // One block after the other: a call that is still under way when the node ends would be nobody's, and fail the test.
    const mining = (async () => {
      while (!isOver) {
        await mine();
        await pause(20, stop.signal);
      }
    })();
    try {
      await Promise.all([slow, later, urgent]);
    } finally {
      isOver = true;
      await mining;
    }
    expect(order).to.deep.equal(["urgent", "later"]);
    expect(await minedCount()).to.equal(3);
  });
});
