/** Puts the contracts on a chain and says where they are. Contracts that name each other get addresses known from the nonce. */
import { type AddressBook, PpioError } from "@ppio/core";
import {
  BandwidthEscrow__factory,
  BucketRegistry__factory,
  DrandBeacon__factory,
  FraudProofs__factory,
  PenaltyPolicy__factory,
  PossessionProofs__factory,
  PpioTimelock__factory,
  PpioToken__factory,
  ProviderRegistry__factory,
  Settlement__factory,
  SlotChallenges__factory,
  SlotRepair__factory,
  SlotTransfers__factory,
  SponsorPools__factory,
  StorageMarket__factory,
  VerifierCommittee__factory,
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

interface Deployment {
  readonly address: string;
  readonly mined: Promise<unknown>;
}

type Deploy = (factory: Pick<ContractFactory, "getDeployTransaction">, ...args: readonly unknown[]) => Promise<Deployment>;

/** In the order of their nonces. */
const CIRCLE = ["registry", "proofs", "market", "challenges", "repair", "fraudProofs", "committee"] as const;
type Circle = Readonly<Record<(typeof CIRCLE)[number], string>>;

export async function deployContracts(options: DeployOptions): Promise<AddressBook> {
  const { wallet, parameters } = options;
  const { provider } = wallet;
  if (provider === null) throw new PpioError("INTERNAL", "The deployer's wallet is not connected.");
  const block = await provider.getBlock("latest");
  if (block === null) throw new PpioError("CHAIN_UNREACHABLE", "The chain does not give its newest block; try again.");
  const { chainId } = await provider.getNetwork();
  let nonce = await wallet.getNonce();
  const mined: Promise<unknown>[] = [];
  const deploy: Deploy = async (factory, ...args) => {
    const mine = nonce;
    nonce += 1;
    const transaction = await factory.getDeployTransaction(...args);
    const response = await wallet.sendTransaction({ ...transaction, nonce: mine });
    const deployment = { address: getCreateAddress({ from: wallet.address, nonce: mine }), mined: response.wait() };
    mined.push(deployment.mined);
    return deployment;
  };

  const base = await deployBase(options, deploy);
  // The proofs contract asks the beacon for its timing while it is constructed.
  await Promise.all(mined);
  const at = CIRCLE.map((name, offset) => [name, getCreateAddress({ from: wallet.address, nonce: nonce + offset })] as const);
  const circle = Object.fromEntries(at) as Circle;
  await deployCircle(deploy, parameters, base, circle, block.timestamp);
  const escrow = await deploy(new BandwidthEscrow__factory(), base.token, parameters.escrow.delaySeconds);
  const buckets = await deploy(new BucketRegistry__factory());
  const sponsorPools = await deploy(new SponsorPools__factory(), circle.market);
  await Promise.all(mined);
  const { token, beacon, policy, timelock } = base;
  return {
    version: 1,
    chainId: Number(chainId),
    rpcUrl: options.rpcUrl,
    beaconUrl: options.beaconUrl,
    fromBlock: block.number,
    token,
    beacon,
    policy,
    timelock,
    ...circle,
    escrow: escrow.address,
    buckets: buckets.address,
    sponsorPools: sponsorPools.address,
  };
}

interface Base {
  readonly token: string;
  readonly beacon: string;
  readonly timelock: string;
  readonly policy: string;
  readonly settlement: string;
  readonly slotTransfers: string;
}

/** What needs none of the others. */
async function deployBase(options: DeployOptions, deploy: Deploy): Promise<Base> {
  const { wallet, parameters } = options;
  const token = await deploy(new PpioToken__factory());
  const beacon = await deploy(
    new DrandBeacon__factory(),
    options.beaconPublicKey,
    options.beaconGenesisTime,
    parameters.roundSeconds,
    parameters.maxLagSeconds,
  );
  const timelock = await deploy(new PpioTimelock__factory(), parameters.timelockSeconds, [wallet.address], [wallet.address]);
  const policy = await deploy(new PenaltyPolicy__factory(), timelock.address, parameters.penalties);
  const settlement = await deploy(new Settlement__factory());
  const slotTransfers = await deploy(new SlotTransfers__factory());
  return {
    token: token.address,
    beacon: beacon.address,
    timelock: timelock.address,
    policy: policy.address,
    settlement: settlement.address,
    slotTransfers: slotTransfers.address,
  };
}

/** What names each other. */
async function deployCircle(deploy: Deploy, parameters: DeployParameters, base: Base, circle: Circle, genesisTime: number): Promise<void> {
  const { token, beacon, policy, timelock } = base;
  const { registry, proofs, market, challenges, repair, fraudProofs, committee } = circle;
  const { periodSeconds, seedDelaySeconds, reportWindowPeriods, reportDelayBlocks, samplesPerProof, unbondingSeconds } = parameters;
  await deploy(new ProviderRegistry__factory(), token, market, proofs, unbondingSeconds);
  await deploy(new PossessionProofs__factory(), {
    ...{ registry, market, policy, beacon, fraudProofs, committee, genesisTime, periodSeconds, seedDelaySeconds },
    ...{ reportWindowPeriods, reportDelayBlocks, samplesPerProof },
  });
  const libraries = {
    "project/contracts/market/Settlement.sol:Settlement": base.settlement,
    "project/contracts/market/SlotTransfers.sol:SlotTransfers": base.slotTransfers,
  };
  await deploy(new StorageMarket__factory(libraries), { token, registry, proofs, policy, challenges, repair, committee });
  await deploy(new SlotChallenges__factory(), { token, market, registry, beacon, timelock, seedDelaySeconds, ...parameters.challenges });
  await deploy(new SlotRepair__factory(), { token, market, beacon, seedDelaySeconds, ...parameters.repair });
  await deploy(new FraudProofs__factory(), market, registry, proofs);
  const { params, ...terms } = parameters.committee;
  await deploy(new VerifierCommittee__factory(), { token, proofs, penalties: proofs, fund: market, owner: timelock, ...terms }, params);
}
