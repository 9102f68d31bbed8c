/** The embedded chain: anvil with saved state where its binary is installed, else Hardhat's node, which forgets when it stops. */
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
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

/** Ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
