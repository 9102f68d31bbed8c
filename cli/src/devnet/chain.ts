/** The embedded chain: anvil with saved state where its binary is installed, else Hardhat's node, which forgets when it stops. */
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PpioError } from "@ppio/core";
import { createRpc } from "@ppio/daemon";
import type { JsonRpcProvider } from "ethers";
import { startProcess, waitUntilReady } from "./processes.ts";
import type { DevnetPaths, DevnetProcess } from "./state.ts";

export const DEVNET_CHAIN_ID = 31_337;
const STATE_INTERVAL_SECONDS = 10;
const BLOCK_MS = 1_000;
const require = createRequire(import.meta.url);

export interface RunningChain {
  readonly process: DevnetProcess;
  readonly rpcUrl: string;
  /** Whether its state survives a stop. */
  readonly keepsState: boolean;
}

function anvilBinary(): string | undefined {
  if (process.env["PPIO_DEVNET_CHAIN"] === "hardhat") return undefined;
  try {
    return require.resolve("@foundry-rs/anvil-linux-amd64/bin/anvil");
  } catch {
    return undefined;
  }
}

export async function startChain(paths: DevnetPaths, port: number): Promise<RunningChain> {
  const rpcUrl = `http://127.0.0.1:${port}`;
  const anvil = anvilBinary();
  const started = await (anvil === undefined ? startHardhat(paths, port) : startAnvil(anvil, paths, port));
  const rpc = createRpc(rpcUrl, DEVNET_CHAIN_ID);
  try {
    await waitUntilReady(started, paths.logs, async () => Number(await rpc.send("eth_chainId", [])) === DEVNET_CHAIN_ID);
    if (anvil === undefined) await rpc.send("evm_setIntervalMining", [BLOCK_MS]);
  } finally {
    rpc.destroy();
  }
  return { process: started, rpcUrl, keepsState: anvil !== undefined };
}

function startAnvil(command: string, paths: DevnetPaths, port: number): Promise<DevnetProcess> {
  const args = ["--hardfork", "prague", "--chain-id", String(DEVNET_CHAIN_ID), "--host", "127.0.0.1", "--port", String(port)];
  const state = ["--state", paths.chainState, "--state-interval", String(STATE_INTERVAL_SECONDS)];
  return startProcess({
    name: "chain",
    command,
    args: [...args, ...state, "--block-time", "1", "--accounts", "1", "--quiet"],
    logs: paths.logs,
  });
}

function startHardhat(paths: DevnetPaths, port: number): Promise<DevnetProcess> {
  const cli = join(dirname(require.resolve("hardhat/package.json")), "dist/src/cli.js");
  // hardhat.config.ts is in the repository's root, above cli/dist/devnet.
  const cwd = fileURLToPath(new URL("../../../", import.meta.url));
  const args = [cli, "node", "--network", "node", "--hostname", "127.0.0.1", "--port", String(port)];
  return startProcess({ name: "chain", command: process.execPath, args, cwd, logs: paths.logs });
}

/** Gives an account coin out of nothing: both nodes know this call. */
export async function giveCoin(rpc: JsonRpcProvider, address: string, wei: bigint): Promise<void> {
  await rpc.send("hardhat_setBalance", [address, `0x${wei.toString(16)}`]);
}

/** Below those that systems give to outgoing connections and to whoever listens on any port: a daemon that is down keeps its own. */
const PORT_FIRST = 10_000;
const PORT_LAST = 31_999;
/** Two devnets that come up at once look in different places. */
const PORT_STRIDE = 97;

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `PPIO_DEVNET_PORTS` ("first-last"), for devnets side by side whose daemons go down and come back. @throws USAGE */
export function devnetPorts(text = process.env["PPIO_DEVNET_PORTS"] ?? ""): PortRange {
  if (text === "") return { first: PORT_FIRST, last: PORT_LAST };
  const [, first, last] = (/^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (first !== undefined && last !== undefined && first > 0 && first <= last && last <= 65_535) return { first, last };
  throw new PpioError("USAGE", `PPIO_DEVNET_PORTS is "${text}"; it has the form 10000-31999.`);
}

/** Ports that are free now. @throws IO when there are too few */
export async function freePorts(count: number, { first, last } = devnetPorts()): Promise<number[]> {
  const size = last - first + 1;
  const ports: number[] = [];
  for (let step = 0; ports.length < count; step += 1) {
    if (step === size) throw new PpioError("IO", `There are not ${count} free ports from ${first} to ${last}; stop what holds them.`);
    const port = first + ((process.pid * PORT_STRIDE + step) % size);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
