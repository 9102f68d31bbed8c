/** `ppio devnet up`: chain, contracts, beacon, oracle and providers as processes of their own, on loopback. */
import { mkdir, rm } from "node:fs/promises";
import { type AddressBook, PpioError, withGasMargin } from "@ppio/core";
import { atomicWriteFile, connectContracts, createRpc, readAddressBookFile } from "@ppio/daemon";
import { loadOrCreateBeaconKey } from "@ppio/oracle";
import { hexlify, type JsonRpcProvider, parseEther, Wallet } from "ethers";
import { deployContracts } from "../deploy/deploy.ts";
import { DEVNET_PARAMETERS, type DeployParameters, devnetParameters } from "../deploy/parameters.ts";
import { walletProvider } from "../deploy/signer.ts";
import { registerProvider } from "../providers/register.ts";
import { DEVNET_CHAIN_ID, freePorts, giveCoin, startChain } from "./chain.ts";
import { startBeacon, startOracle, startProvider } from "./daemons.ts";
import { stopProcesses } from "./processes.ts";
import { type DevnetPaths, type DevnetProcess, type DevnetState, isRunning, readDevnet, writeDevnet } from "./state.ts";
import { startVerifiers } from "./verifiers.ts";

export interface UpOptions {
  readonly paths: DevnetPaths;
  readonly providers: number;
  readonly capacityBytes: number;
  /** 0, or enough for a committee. */
  readonly verifiers?: number;
  /** Of a devnet that is made anew; 10 without it. */
  readonly periodSeconds?: number;
  readonly note: (line: string) => void;
  /** Looked at between the steps; what was started is ended again. */
  readonly signal: AbortSignal;
}

export interface Devnet {
  readonly state: DevnetState;
  readonly book: AddressBook;
  /** Whether it was made anew. */
  readonly isNew: boolean;
}

const COIN_WEI = parseEther("10000");
const COLLATERAL_WEI = parseEther("1000");
const PRICE_PER_GIB_PERIOD_WEI = 100_000_000_000_000n;
/** Blocks come every second. */
const DEPLOY_POLLING_MS = 100;
export const PROVIDERS_MAX = 64;
/** Fewer make no committee. */
export const VERIFIERS_MIN = 4;
export const VERIFIERS_MAX = 15;

/** Starts a devnet, or goes on with the one that the folder holds. What was started is ended again when something fails. */
export async function devnetUp(options: UpOptions): Promise<Devnet> {
  const { paths, note } = options;
  const known = await readDevnet(paths);
  const alive = known === undefined ? [] : await Promise.all(known.processes.map(isRunning));
  if (alive.some((yes) => yes)) {
    throw new PpioError("ALREADY_EXISTS", `The devnet in ${paths.dir} is up already; stop it with "ppio devnet down".`);
  }
  const run = new Run(paths, known ?? (await newState(options)));
  try {
    await run.save();
    note("starting the chain");
    const chain = await startChain(paths, run.state.chainPort);
    await run.add(chain.process);
    const isNew = known === undefined || !chain.keepsState;
    const rpc = createRpc(chain.rpcUrl, DEVNET_CHAIN_ID);
    try {
      return await bringUp(options, run, rpc, chain.rpcUrl, isNew);
    } finally {
      rpc.destroy();
    }
  } catch (error) {
    await stopProcesses(run.state.processes);
    throw error;
  }
}

async function bringUp(options: UpOptions, run: Run, rpc: JsonRpcProvider, rpcUrl: string, isNew: boolean): Promise<Devnet> {
  const { paths, signal } = options;
  const note = (line: string): void => {
    if (signal.aborted) throw new PpioError("CANCELLED", "Stopped before the devnet was up; nothing of it runs.");
    options.note(line);
  };
  if (isNew) {
    note("deploying the contracts");
    await fund(rpc, run.state);
    const { periodSeconds = DEVNET_PARAMETERS.periodSeconds } = options;
    const book = await deploy(paths, run, rpc, rpcUrl, devnetParameters(periodSeconds));
    await atomicWriteFile(paths.addressBook, `${JSON.stringify(book, null, 2)}\n`);
  }
  const book = await readAddressBookFile(paths.addressBook);
  await run.add(await startBeacon(paths, run.state, DEVNET_PARAMETERS));
  await run.add(await startOracle(paths, run.state));
  if (isNew) {
    note(`registering ${run.state.providers.length} providers`);
    await registerAll(run, rpc, book);
  }
  note(`starting ${run.state.providers.length} providers`);
  const started = await Promise.allSettled(run.state.providers.map((provider) => startProvider(paths, provider, run.state.capacityBytes)));
  // Those that came up first: one that failed must not leave the others unknown.
  for (const result of started) if (result.status === "fulfilled") await run.add(result.value);
  for (const result of started) if (result.status === "rejected") throw result.reason;
  if (run.state.verifiers.length > 0) {
    note(`starting ${run.state.verifiers.length} verifiers, with canary objects to read`);
    await startVerifiers({ paths, state: run.state, rpc, book, note, signal, onStarted: (process) => run.add(process) });
  }
  note("the devnet is up");
  return { state: run.state, book, isNew };
}

/** The state as it grows; written after every step, so that `down` finds what was started. */
class Run {
  readonly #paths: DevnetPaths;
  state: DevnetState;

  constructor(paths: DevnetPaths, state: DevnetState) {
    this.#paths = paths;
    this.state = { ...state, processes: [] };
  }

  save(): Promise<void> {
    return writeDevnet(this.#paths, this.state);
  }

  async add(process: DevnetProcess): Promise<void> {
    this.state = { ...this.state, processes: [...this.state.processes, process] };
    await this.save();
  }

  async update(change: Partial<DevnetState>): Promise<void> {
    this.state = { ...this.state, ...change };
    await this.save();
  }
}

async function newState(options: UpOptions): Promise<DevnetState> {
  if (!Number.isInteger(options.providers) || options.providers < 2 || options.providers > PROVIDERS_MAX) {
    throw new PpioError("USAGE", `A devnet has 2 to ${PROVIDERS_MAX} providers.`);
  }
  const { verifiers = 0 } = options;
  if (verifiers !== 0 && (verifiers < VERIFIERS_MIN || verifiers > VERIFIERS_MAX)) {
    throw new PpioError("USAGE", `A devnet has no verifiers, or ${VERIFIERS_MIN} to ${VERIFIERS_MAX}: fewer make no committee.`);
  }
  await mkdir(options.paths.dir, { recursive: true, mode: 0o700 });
  const [chainPort = 0, beaconPort = 0, oraclePort = 0, ...all] = await freePorts(3 + options.providers + verifiers);
  const ports = all.slice(0, options.providers);
  const key = (): string => Wallet.createRandom().privateKey;
  return {
    version: 1,
    chainPort,
    beaconPort,
    oraclePort,
    beaconGenesisTime: 0,
    capacityBytes: options.capacityBytes,
    faucetKey: key(),
    oracleKey: key(),
    providers: ports.map((port, at) => ({ name: `provider-${at + 1}`, providerId: 0, port, ownerKey: key(), operatorKey: key() })),
    verifiers: all.slice(options.providers).map((port, at) => ({ name: `verifier-${at + 1}`, port, key: key(), payerKey: key() })),
    processes: [],
  };
}

async function fund(rpc: JsonRpcProvider, state: DevnetState): Promise<void> {
  const keys = [state.faucetKey, state.oracleKey, ...state.providers.flatMap(({ ownerKey, operatorKey }) => [ownerKey, operatorKey])];
  keys.push(...state.verifiers.flatMap(({ key, payerKey }) => [key, payerKey]));
  await Promise.all(keys.map((key) => giveCoin(rpc, new Wallet(key).address, COIN_WEI)));
}

async function deploy(
  paths: DevnetPaths,
  run: Run,
  rpc: JsonRpcProvider,
  rpcUrl: string,
  parameters: DeployParameters,
): Promise<AddressBook> {
  const beaconKey = await loadOrCreateBeaconKey(paths.beaconKey);
  const block = await rpc.getBlock("latest");
  const genesisTime = block?.timestamp ?? Math.floor(Date.now() / 1000);
  await run.update({ beaconGenesisTime: genesisTime });
  return deployContracts({
    provider: walletProvider(rpc, new Wallet(run.state.faucetKey)),
    chainId: DEVNET_CHAIN_ID,
    rpcUrl,
    beaconUrl: `http://127.0.0.1:${run.state.beaconPort}`,
    deployment: {
      parameters,
      beacon: { publicKey: hexlify(beaconKey.publicKey), genesisTime },
      genesisTime,
      administrators: [],
    },
    isPublic: false,
    confirmations: 1,
    pollingMs: DEPLOY_POLLING_MS,
  });
}

async function registerAll(run: Run, rpc: JsonRpcProvider, book: AddressBook): Promise<void> {
  const providers = await Promise.all(
    run.state.providers.map(async (provider) => {
      const owner = new Wallet(provider.ownerKey, rpc);
      const contracts = connectContracts(book, withGasMargin(owner));
      const operator = new Wallet(provider.operatorKey).address;
      // The operator's are for the bonds of repairs.
      for (const account of [owner.address, operator]) await (await contracts.token.faucet(account)).wait();
      const providerId = await registerProvider({
        contracts,
        owner,
        operator,
        endpoint: `http://127.0.0.1:${provider.port}`,
        pricePerGibPeriodWei: PRICE_PER_GIB_PERIOD_WEI,
        capacityBytes: run.state.capacityBytes,
        failureDomain: `house-${provider.port}`,
        collateralWei: COLLATERAL_WEI,
      });
      return { ...provider, providerId, name: `provider-${providerId}` };
    }),
  );
  await run.update({ providers: providers.sort((a, b) => a.providerId - b.providerId) });
}

/** Forgets a devnet that is down. */
export async function devnetWipe(paths: DevnetPaths): Promise<void> {
  await rm(paths.dir, { recursive: true, force: true });
}
