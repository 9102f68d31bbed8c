/**
 * Puts the contracts on a chain and says where they are. Runs the Ignition module (`module.ts`); with a folder the deployment is written
 * down step by step there, so that an interrupted one goes on where it stopped and a finished one sends nothing.
 */
import {
  type ArtifactResolver,
  type DeploymentResult,
  deploy,
  type EIP1193Provider,
  type ExecutionEventListener,
  type IgnitionModule,
} from "@nomicfoundation/ignition-core";
import { type AddressBook, PpioError } from "@ppio/core";
import { typechainArtifacts } from "./artifacts.ts";
import { checkBook } from "./check-book.ts";
import { checkDeployment } from "./check-parameters.ts";
import { firstBlockOf, mendJournal } from "./journal.ts";
import { buildPpioModule, MODULE_ID } from "./module.ts";
import type { Deployment } from "./parameters.ts";

export interface DeployOptions {
  /** Signs for the deploying account, the first of `eth_accounts`. */
  readonly provider: EIP1193Provider;
  /** Must be the chain's own: a deployment on the wrong chain is money lost. */
  readonly chainId: number;
  /** For the address book. */
  readonly rpcUrl: string;
  readonly beaconUrl: string;
  readonly deployment: Deployment;
  readonly isPublic: boolean;
  /** Blocks after which a transaction is final. */
  readonly confirmations: number;
  /** Where the deployment is written down; none for a chain that is thrown away when it fails. */
  readonly deploymentDir?: string;
  /** Default: those in this package. */
  readonly artifacts?: ArtifactResolver;
  /** Told of every step that is done. */
  readonly note?: (line: string) => void;
  /** How often to look for the next block. */
  readonly pollingMs?: number;
}

const POLLING_MS = 1_000;
const BOOK_CONTRACTS = [
  ...(["token", "registry", "market", "proofs", "policy", "beacon", "challenges", "repair", "fraudProofs", "committee"] as const),
  ...(["escrow", "buckets", "sponsorPools", "timelock"] as const),
] as const;

/** @throws CONFIG, CHAIN_UNREACHABLE, CHAIN_REVERT: run it again with the same folder once the reason is gone */
export async function deployContracts(options: DeployOptions): Promise<AddressBook> {
  const { provider, deployment, deploymentDir, confirmations } = options;
  const chainId = Number(await provider.request({ method: "eth_chainId" }));
  if (chainId !== options.chainId) {
    throw new PpioError(
      "CONFIG",
      `The node is on chain ${chainId}, the deployment is for chain ${options.chainId}; name another RPC address.`,
    );
  }
  const block = (await provider.request({ method: "eth_getBlockByNumber", params: ["latest", false] })) as Readonly<
    Record<"number" | "timestamp", string>
  > | null;
  if (block === null) throw new PpioError("CHAIN_UNREACHABLE", "The chain does not give its newest block; try again.");
  checkDeployment(deployment, { isPublic: options.isPublic, nowSeconds: Number(block.timestamp) });
  const accounts = (await provider.request({ method: "eth_accounts" })) as string[];
  if (accounts.length === 0) throw new PpioError("CONFIG", "There is no account to deploy from; give its key.");
  if (deploymentDir !== undefined) await mendJournal(deploymentDir, provider, confirmations);
  const module = buildPpioModule(deployment);
  const result = await deploy({
    config: { requiredConfirmations: confirmations, blockPollingInterval: options.pollingMs ?? POLLING_MS },
    ...{ provider, accounts, deploymentParameters: {}, artifactResolver: options.artifacts ?? typechainArtifacts },
    ignitionModule: module,
    ...(deploymentDir === undefined ? {} : { deploymentDir }),
    ...(options.note === undefined ? {} : { executionEventListener: progress(options.note) }),
  });
  const addresses = addressesOf(module, result);
  const first = deploymentDir === undefined ? undefined : await firstBlockOf(deploymentDir);
  const { rpcUrl, beaconUrl } = options;
  const book: AddressBook = { version: 1, chainId, rpcUrl, beaconUrl, fromBlock: first ?? Number(block.number), ...addresses };
  await checkBook(book, deployment, provider);
  return book;
}

/** Of Ignition's two dozen kinds of events those that say that something is on the chain. */
function progress(note: (line: string) => void): ExecutionEventListener {
  const told = new Set<string | symbol>(["deploymentExecutionStateComplete", "callExecutionStateComplete"]);
  const handlerOf = (name: string | symbol) => async (event: { readonly futureId: string }) => {
    if (told.has(name)) note(`on the chain: ${event.futureId.replace(`${MODULE_ID}#`, "")}`);
  };
  return new Proxy({} as ExecutionEventListener, { get: (_, name) => handlerOf(name) });
}

type Addresses = Readonly<Record<(typeof BOOK_CONTRACTS)[number], string>>;

function addressesOf(module: IgnitionModule, result: DeploymentResult): Addresses {
  if (result.type === "SUCCESSFUL_DEPLOYMENT") {
    return Object.fromEntries(BOOK_CONTRACTS.map((name) => [name, result.contracts[module.results[name]?.id ?? ""]?.address])) as Addresses;
  }
  throw new PpioError("CHAIN_REVERT", `The deployment of ${MODULE_ID} did not get through: ${reasonsOf(result)}`, { details: { result } });
}

function reasonsOf(result: Exclude<DeploymentResult, { type: "SUCCESSFUL_DEPLOYMENT" }>): string {
  if (result.type !== "EXECUTION_ERROR")
    return Object.entries(result.errors)
      .map(([id, errors]) => `${id}: ${errors.join(", ")}`)
      .join("; ");
  const failed = result.failed.map(({ futureId, error }) => `${futureId}: ${error}`);
  const timedOut = result.timedOut.map(({ futureId }) => `${futureId} was not mined in time`);
  return [...failed, ...timedOut].join("; ");
}
