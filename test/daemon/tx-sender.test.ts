import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createLogger, TxSender, type TxTiming } from "@ppio/daemon";
import { expect } from "chai";
import { Transaction, Wallet } from "ethers";
import { codeOf } from "../support/code-of.ts";
import { FakeNode } from "../support/fake-node.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const KEY = `0x${"42".repeat(32)}`;
const CALL = { to: `0x${"aa".repeat(20)}`, data: "0x01" };
const TIMING: TxTiming = { pollMs: 2, bumpAfterMs: 10_000, urgentBumpAfterMs: 10_000, takenAfterMs: 20, gapAfterMs: 20 };
const log = createLogger({ component: "test", write: () => undefined });

describe("sending transactions", () => {
  let node: FakeNode;
  let file: string;
  const stops: AbortController[] = [];

  beforeEach(async () => {
    node = await FakeNode.start();
    file = join(await temporaryFolder(), "transactions.json");
  });

  afterEach(async () => {
    for (const stop of stops.splice(0)) stop.abort();
    await node.stop();
    await removeTemporaryFolders();
  });

  async function open(options: { readonly timing?: Partial<TxTiming>; readonly key?: string } = {}) {
    const stop = new AbortController();
    stops.push(stop);
    const wallet = new Wallet(options.key ?? KEY, node.rpc);
    const timing = { ...TIMING, ...options.timing };
    return { sender: await TxSender.open({ file, rpc: node.rpc, wallet, log, signal: stop.signal, timing }), stop };
  }

  const journal = async (): Promise<{ pending?: { raws: string[] }; done: unknown[] }> => JSON.parse(await readFile(file, "utf8"));

  async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Stops a sender as a kill does: whatever it does not write is lost. */
  async function kill(run: Awaited<ReturnType<typeof open>>): Promise<void> {
    run.stop.abort();
    await run.sender.close();
  }

  it("sends a call once for its id, whoever asks again", async () => {
    const { sender } = await open();
    const [first, second] = await Promise.all([sender.send("a", CALL), sender.send("a", CALL)]);
    expect(first.hash).to.equal(second.hash);
    expect((await sender.send("b", CALL)).hash).not.to.equal(first.hash);
    expect(node.mined.map((tx) => tx.nonce)).to.deep.equal([0, 1]);
    const again = await open();
    expect((await again.sender.send("a", CALL)).hash, "after a restart").to.equal(first.hash);
    expect(node.seen).to.have.length(2);
  });

  it("has the intent on disk before the first byte leaves", async () => {
    node.refusesTransactions = true;
    const run = await open();
    const sent = codeOf(run.sender.send("a", CALL));
    await until(async () => (await journal().catch(() => undefined))?.pending !== undefined);
    expect(node.seen).to.have.length(0);
    const { pending } = await journal();
    await kill(run);
    expect(await sent).to.equal("CANCELLED");
    node.refusesTransactions = false;
    await (await open()).sender.send("a", CALL);
    expect(node.seen, "the very transaction that was signed before").to.deep.equal(pending?.raws);
  });

  it("takes a transaction up again after a restart while it is in the pool", async () => {
    node.minesAtOnce = false;
    const run = await open();
    const sent = codeOf(run.sender.send("a", CALL));
    await until(() => node.seen.length === 1);
    await kill(run);
    expect(await sent).to.equal("CANCELLED");
    node.minesAtOnce = true;
    await (await open()).sender.send("a", CALL);
    expect(node.seen).to.have.length(1);
    expect(node.mined).to.have.length(1);
  });

  it("does not send again what was mined while the process was away", async () => {
    node.minesAtOnce = false;
    const run = await open();
    const sent = codeOf(run.sender.send("a", CALL));
    await until(() => node.seen.length === 1);
    await kill(run);
    await sent;
    node.mine();
    const receipt = await (await open()).sender.send("a", CALL);
    expect(receipt.hash).to.equal(node.mined[0]?.hash);
    expect(node.seen).to.have.length(1);
  });

  it("sends again what a reorganisation took back, also when it was mined anew and refused", async () => {
    const { sender } = await open();
    await sender.send("a", CALL);
    const [raw] = node.seen;
    node.forget();
    node.revertsInBlock = true;
    await node.rpc.send("eth_sendRawTransaction", [raw]);
    node.revertsInBlock = false;
    const receipt = await sender.send("a", CALL);
    expect(receipt.status).to.equal(1);
    expect(node.mined.map((tx) => tx.nonce)).to.deep.equal([0, 0, 1]);
  });

  it("finishes what was under way before it sends anything new", async () => {
    node.minesAtOnce = false;
    const run = await open();
    const sent = codeOf(run.sender.send("a", CALL));
    await until(() => node.seen.length === 1);
    await kill(run);
    await sent;
    node.minesAtOnce = true;
    await (await open()).sender.send("b", CALL);
    expect(node.mined.map((tx) => tx.nonce)).to.deep.equal([0, 1]);
  });

  it("raises the fee of a stuck one under the same nonce until it goes through", async () => {
    node.minFeeWei = 7_000_000_000n;
    const { sender } = await open({ timing: { bumpAfterMs: 5 } });
    const receipt = await sender.send("a", CALL);
    const all = node.seen.map((raw) => Transaction.from(raw));
    expect(all.length).to.be.greaterThan(2);
    expect(new Set(all.map((tx) => tx.nonce))).to.deep.equal(new Set([0]));
    all.slice(1).forEach((tx, at) => {
      const before = all[at]?.maxFeePerGas ?? 0n;
      expect((tx.maxFeePerGas ?? 0n) * 100n >= before * 110n, "a rise that nodes accept").to.equal(true);
    });
    expect(receipt.hash).to.equal(all.at(-1)?.hash);
    expect(node.mined).to.have.length(1);
  });

  it("finds the receipt of an earlier fee when that one got mined", async () => {
    node.minesAtOnce = false;
    const { sender } = await open({ timing: { bumpAfterMs: 5 } });
    const sent = sender.send("a", CALL);
    await until(() => node.seen.length >= 3);
    node.mine();
    expect((await sent).hash).to.equal(node.mined[0]?.hash);
    expect((await journal()).pending).to.equal(undefined);
  });

  it("keeps the intent through an outage and sends nothing twice", async () => {
    node.minesAtOnce = false;
    const { sender } = await open();
    const sent = codeOf(sender.send("a", CALL));
    await until(() => node.seen.length === 1);
    node.isDown = true;
    expect(await sent).to.equal("CHAIN_UNREACHABLE");
    expect(await codeOf(sender.send("a", CALL)), "still away").to.equal("CHAIN_UNREACHABLE");
    node.isDown = false;
    node.minesAtOnce = true;
    await sender.send("a", CALL);
    expect(node.seen).to.have.length(1);
  });

  it("writes and sends nothing when the contract refuses the estimate", async () => {
    node.estimateReverts = "0x08c379a00000000000000000000000000000000000000000000000000000000000000020";
    const { sender } = await open();
    expect(await codeOf(sender.send("a", CALL))).to.equal("CHAIN_REVERT");
    expect(node.seen).to.have.length(0);
    expect(await readFile(file, "utf8").catch(() => "none")).to.equal("none");
  });

  it("does not take a reverted transaction for done", async () => {
    node.revertsInBlock = true;
    const { sender } = await open();
    expect(await codeOf(sender.send("a", CALL))).to.equal("CHAIN_REVERT");
    expect(await codeOf(sender.send("a", CALL)), "not a success the second time").to.equal("CHAIN_REVERT");
    node.revertsInBlock = false;
    expect((await sender.send("a", CALL)).status).to.equal(1);
  });

  it("does not let an earlier one's revert fail the next", async () => {
    node.minesAtOnce = false;
    const run = await open();
    const sent = codeOf(run.sender.send("a", CALL));
    await until(() => node.seen.length === 1);
    await kill(run);
    await sent;
    node.revertsInBlock = true;
    node.mine();
    node.revertsInBlock = false;
    node.minesAtOnce = true;
    expect((await (await open()).sender.send("b", CALL)).status).to.equal(1);
  });

  it("notices that somebody else used its nonce, and goes on with the next", async () => {
    node.minesAtOnce = false;
    const { sender } = await open();
    const sent = codeOf(sender.send("a", CALL));
    await until(() => node.seen.length === 1);
    node.nonce = 1;
    expect(await sent).to.equal("CONFLICT");
    node.minesAtOnce = true;
    await sender.send("a", CALL);
    expect(node.mined.map((tx) => tx.nonce)).to.deep.equal([1]);
  });

  it("does not wait for ever behind a gap of nonces", async () => {
    node.nonce = 5;
    node.minesAtOnce = false;
    const { sender } = await open();
    const sent = codeOf(sender.send("a", CALL));
    await until(() => node.seen.length === 1);
    node.forget();
    expect(await sent).to.equal("CONFLICT");
    node.minesAtOnce = true;
    await sender.send("a", CALL);
    expect(node.mined.map((tx) => tx.nonce)).to.deep.equal([0]);
  });

  it("sends again what a reorg took back", async () => {
    const { sender } = await open();
    await sender.send("a", CALL);
    node.forget();
    await sender.send("a", CALL);
    expect(node.mined.map((tx) => tx.nonce)).to.deep.equal([0, 0]);
  });

  it("keeps off another account's journal, and says when it is damaged", async () => {
    node.minesAtOnce = false;
    const run = await open();
    const sent = codeOf(run.sender.send("a", CALL));
    await until(() => node.seen.length === 1);
    await kill(run);
    await sent;
    node.minesAtOnce = true;
    const other = await open({ key: `0x${"43".repeat(32)}` });
    await other.sender.send("b", CALL);
    expect(node.mined.map((tx) => tx.from)).to.deep.equal([new Wallet(`0x${"43".repeat(32)}`).address]);
    await writeFile(file, "[]");
    expect(await codeOf(open())).to.equal("CONFIG");
  });
});
