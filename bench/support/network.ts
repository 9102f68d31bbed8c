/**
 * A network of real processes for the end-to-end questions: the devnet's chain and provider daemons, all bytes on tmpfs, with a public
 * L2's periods of an hour, so that neither proofs, nor beacon, nor oracle run beside what is measured. Scrubbing is off for the same
 * reason: it reads and hashes 8 MiB/s for every provider.
 */
import { type AddressBook, withGasMargin } from "@ppio/core";
import { atomicWriteFile, connectContracts, createRpc } from "@ppio/daemon";
import { loadOrCreateBeaconKey } from "@ppio/oracle";
import { hexlify, type JsonRpcProvider, parseEther, Wallet } from "ethers";
import { createWallet } from "../../cli/src/commands/wallet.ts";
import { deployContracts } from "../../cli/src/deploy/deploy.ts";
import { L2_PARAMETERS } from "../../cli/src/deploy/parameters.ts";
import { walletProvider } from "../../cli/src/deploy/signer.ts";
import { DEVNET_CHAIN_ID, freePorts, giveCoin, startChain } from "../../cli/src/devnet/chain.ts";
import { startProvider } from "../../cli/src/devnet/daemons.ts";
import { stopProcesses } from "../../cli/src/devnet/processes.ts";
import {
  type DevnetPaths,
  type DevnetProcess,
  type DevnetProvider,
  type DevnetState,
  devnetPaths,
  writeDevnet,
} from "../../cli/src/devnet/state.ts";
import { openHome } from "../../cli/src/home.ts";
import { registerProvider } from "../../cli/src/providers/register.ts";
import { temporaryFolder, undoAtExit } from "./temporary.ts";

const COIN_WEI = parseEther("10000");
const COLLATERAL_WEI = parseEther("1000");
const PRICE_PER_GIB_PERIOD_WEI = 10n ** 14n;
const CAPACITY_BYTES = 2 ** 36;
const POLLING_MS = 100;
const SETTLE_MS = 500;

export interface NetworkOptions {
  readonly providers: number;
  /** NODE_OPTIONS of the providers. */
  readonly nodeOptions?: string;
  /** Where all bytes lie; in memory without it. */
  readonly parent?: string;
  /** Where a provider that listens on `port` is reached; itself without it. */
  readonly endpointOf?: (port: number) => Promise<string>;
}

export interface Network {
  /** Home of a funded user, as `ppio --home` takes it. */
  readonly home: string;
  /** The providers' processes. */
  readonly pids: readonly number[];
  /** Stops all processes in their tracks, so that they cost a peer nothing. */
  pause(): void;
  /** Ends a pause; returns when what was due meanwhile is done. */
  resume(): Promise<void>;
  /** Ends all processes and removes all bytes. */
  stop(): Promise<void>;
}

export async function startNetwork(options: NetworkOptions): Promise<Network> {
  process.env["PPIO_SCRUB_BYTES_PER_SECOND"] = "0";
  const folder = await temporaryFolder(options.parent);
  const home = openHome(folder.path);
  const paths = devnetPaths(home.devnetDir);
  const processes: DevnetProcess[] = [];
  const signal = (name: NodeJS.Signals): void => {
    for (const { pid } of processes) {
      try {
        process.kill(pid, name);
      } catch {
        // Gone already.
      }
    }
  };
  const forget = undoAtExit(() => signal("SIGKILL"));
  const stop = async (): Promise<void> => {
    // A process that stands still cannot end.
    signal("SIGCONT");
    await stopProcesses(processes);
    forget();
    await folder.remove();
  };
  try {
    const state = await newState(options.providers);
    const chain = await startChain(paths, state.chainPort);
    processes.push(chain.process);
    const rpc = createRpc(chain.rpcUrl, DEVNET_CHAIN_ID);
    try {
      await bringUp(options, paths, state, rpc, chain.rpcUrl, processes);
    } finally {
      rpc.destroy();
    }
    await writeDevnet(paths, { ...state, processes });
    await createWallet({ home, network: paths.addressBook });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    home: folder.path,
    pids: processes.slice(1).map(({ pid }) => pid),
    pause: () => signal("SIGSTOP"),
    resume: () => {
      signal("SIGCONT");
      return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    },
    stop,
  };
}

async function newState(providers: number): Promise<DevnetState> {
  const [chainPort = 0, ...ports] = await freePorts(1 + providers);
  const key = (): string => Wallet.createRandom().privateKey;
  return {
    version: 1,
    chainPort,
    beaconPort: 0,
    oraclePort: 0,
    beaconGenesisTime: 0,
    capacityBytes: CAPACITY_BYTES,
    faucetKey: key(),
    oracleKey: key(),
    providers: ports.map((port, at) => ({ name: `provider-${at + 1}`, providerId: 0, port, ownerKey: key(), operatorKey: key() })),
    verifiers: [],
    processes: [],
  };
}

async function bringUp(
  options: NetworkOptions,
  paths: DevnetPaths,
  state: DevnetState,
  rpc: JsonRpcProvider,
  rpcUrl: string,
  processes: DevnetProcess[],
): Promise<void> {
  const keys = [state.faucetKey, ...state.providers.flatMap(({ ownerKey, operatorKey }) => [ownerKey, operatorKey])];
  await Promise.all(keys.map((key) => giveCoin(rpc, new Wallet(key).address, COIN_WEI)));
  const beaconKey = await loadOrCreateBeaconKey(paths.beaconKey);
  const genesisTime = (await rpc.getBlock("latest"))?.timestamp ?? Math.floor(Date.now() / 1000);
  const book = await deployContracts({
    provider: walletProvider(rpc, new Wallet(state.faucetKey)),
    chainId: DEVNET_CHAIN_ID,
    rpcUrl,
    beaconUrl: "http://127.0.0.1:1",
    deployment: {
      parameters: L2_PARAMETERS,
      beacon: { publicKey: hexlify(beaconKey.publicKey), genesisTime },
      genesisTime,
      administrators: [],
    },
    isPublic: false,
    confirmations: 1,
    pollingMs: POLLING_MS,
  });
  await atomicWriteFile(paths.addressBook, `${JSON.stringify(book, null, 2)}\n`);
  await Promise.all(state.providers.map((provider) => register(options, provider, book, rpc)));
  if (options.nodeOptions !== undefined) process.env["NODE_OPTIONS"] = options.nodeOptions;
  const started = await Promise.allSettled(
    state.providers.map(async (provider) => void processes.push(await startProvider(paths, provider, CAPACITY_BYTES))),
  );
  delete process.env["NODE_OPTIONS"];
  for (const result of started) if (result.status === "rejected") throw result.reason;
}

async function register(options: NetworkOptions, provider: DevnetProvider, book: AddressBook, rpc: JsonRpcProvider): Promise<void> {
  const owner = new Wallet(provider.ownerKey, rpc);
  const contracts = connectContracts(book, withGasMargin(owner));
  await (await contracts.token.faucet(owner.address)).wait();
  await registerProvider({
    contracts,
    owner,
    operator: new Wallet(provider.operatorKey).address,
    endpoint: (await options.endpointOf?.(provider.port)) ?? `http://127.0.0.1:${provider.port}`,
    pricePerGibPeriodWei: PRICE_PER_GIB_PERIOD_WEI,
    capacityBytes: CAPACITY_BYTES,
    failureDomain: `house-${provider.port}`,
    collateralWei: COLLATERAL_WEI,
  });
}
