/** Puts the contracts on a chain and says where they are. Contracts that name each other get addresses known from the nonce. */
import { type AddressBook, PpioError } from "@ppio/core";
import {
  DrandBeacon__factory,
  PenaltyPolicy__factory,
  PossessionProofs__factory,
  PpioToken__factory,
  ProviderRegistry__factory,
  StorageMarket__factory,
} from "@ppio/core/contracts";
import { type ContractFactory, getCreateAddress, type Wallet } from "ethers";
import type { DeployParameters } from "./parameters.ts";

export interface DeployOptions {
  readonly wallet: Wallet;
  readonly rpcUrl: string;
  readonly beaconUrl: string;
  readonly parameters: DeployParameters;
  /** The beacon's key on G2 in the layout of EIP-2537, 256 bytes. */
  readonly beaconPublicKey: Uint8Array;
  /** Unix seconds of the beacon's first round. */
  readonly beaconGenesisTime: number;
}

export async function deployContracts(options: DeployOptions): Promise<AddressBook> {
  const { wallet, parameters } = options;
  const { provider } = wallet;
  if (provider === null) throw new PpioError("INTERNAL", "The deployer's wallet is not connected.");
  const block = await provider.getBlock("latest");
  if (block === null) throw new PpioError("CHAIN_UNREACHABLE", "The chain does not give its newest block; try again.");
  const { chainId } = await provider.getNetwork();
  let nonce = await wallet.getNonce();
  const deploy = async (factory: Pick<ContractFactory, "getDeployTransaction">, ...args: readonly unknown[]): Promise<Deployment> => {
    const mine = nonce;
    nonce += 1;
    const transaction = await factory.getDeployTransaction(...args);
    const response = await wallet.sendTransaction({ ...transaction, nonce: mine });
    return { address: getCreateAddress({ from: wallet.address, nonce: mine }), mined: response.wait() };
  };

  const token = await deploy(new PpioToken__factory());
  const beacon = await deploy(
    new DrandBeacon__factory(),
    options.beaconPublicKey,
    options.beaconGenesisTime,
    parameters.roundSeconds,
    parameters.maxLagSeconds,
  );
  const policy = await deploy(new PenaltyPolicy__factory(), parameters.penalties);
  // The proofs contract asks the beacon for its timing while it is constructed.
  await Promise.all([token.mined, beacon.mined, policy.mined]);

  const [registryAt, proofsAt, marketAt] = [0, 1, 2].map((offset) => getCreateAddress({ from: wallet.address, nonce: nonce + offset }));
  const registry = await deploy(new ProviderRegistry__factory(), token.address, marketAt, proofsAt, parameters.unbondingSeconds);
  const proofs = await deploy(new PossessionProofs__factory(), {
    registry: registryAt,
    market: marketAt,
    policy: policy.address,
    beacon: beacon.address,
    genesisTime: block.timestamp,
    periodSeconds: parameters.periodSeconds,
    seedDelaySeconds: parameters.seedDelaySeconds,
    reportWindowPeriods: parameters.reportWindowPeriods,
    samplesPerProof: parameters.samplesPerProof,
  });
  const market = await deploy(new StorageMarket__factory(), token.address, registryAt, proofsAt, policy.address);
  await Promise.all([registry.mined, proofs.mined, market.mined]);
  return {
    version: 1,
    chainId: Number(chainId),
    rpcUrl: options.rpcUrl,
    beaconUrl: options.beaconUrl,
    fromBlock: block.number,
    token: token.address,
    registry: registry.address,
    market: market.address,
    proofs: proofs.address,
    policy: policy.address,
    beacon: beacon.address,
  };
}

interface Deployment {
  readonly address: string;
  readonly mined: Promise<unknown>;
}
