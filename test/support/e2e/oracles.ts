/** More oracles beside a devnet's own, and what they spend. */
import { type ChildProcess, spawn } from "node:child_process";
import { toQuantity, Wallet } from "ethers";
import { type Devnet, LAUNCHER } from "./devnet.ts";

const COIN_WEI = 10n ** 20n;

export interface ExtraProcess {
  readonly address: string;
  /** What it wrote to standard error. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts `ppio GROUP start` with a key of its own that holds coin; resolves once it says that it is ready. */
export async function startBeside(devnet: Devnet, group: string, name: string, args: readonly string[] = []): Promise<ExtraProcess> {
  const wallet = Wallet.createRandom();
  await devnet.rpc.send("hardhat_setBalance", [wallet.address, toQuantity(COIN_WEI)]);
  const child: ChildProcess = spawn(
    process.execPath,
    [LAUNCHER, group, "start", "--network", devnet.path("devnet", "addresses.json"), "--data-dir", devnet.path(name), ...args],
    { env: { ...process.env, PPIO_PRIVATE_KEY: wallet.privateKey }, stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (log.includes("is ready")) resolve();
    });
    child.once("close", () => reject(new Error(`${name} ended: ${log}`)));
  });
  return {
    address: wallet.address,
    log: () => log,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

export interface Spending {
  readonly transactions: number;
  readonly gas: bigint;
  /** Of transactions that changed nothing: refused, or done by another one before. */
  readonly wastedGas: bigint;
}

/** What accounts spent on transactions in the blocks [from, to]. */
export async function spendingOf(devnet: Devnet, accounts: ReadonlySet<string>, from: number, to: number): Promise<Spending> {
  let [transactions, gas, wastedGas] = [0, 0n, 0n];
  for (let number = from; number <= to; number += 1) {
    const receipts: { from: string; gasUsed: string; logs: unknown[] }[] = await devnet.rpc.send("eth_getBlockReceipts", [
      toQuantity(number),
    ]);
    for (const receipt of receipts.filter((one) => accounts.has(one.from.toLowerCase()))) {
      transactions += 1;
      gas += BigInt(receipt.gasUsed);
      if (receipt.logs.length === 0) wastedGas += BigInt(receipt.gasUsed);
    }
  }
  return { transactions, gas, wastedGas };
}
