/** The whole network of contracts on a simulated chain, with providers that can prove, and a beacon that signs on demand. */

import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import {
  type BaseContract,
  type ContractTransactionReceipt,
  type ContractTransactionResponse,
  getCreateAddress,
  id,
  keccak256,
  solidityPackedKeccak256,
} from "ethers";
import { network } from "hardhat";
import type {
  DrandBeacon,
  IPenaltyPolicy,
  IPossessionProofs,
  IStorageMarket,
  PenaltyPolicy,
  PossessionProofs,
  PpioToken,
  ProviderRegistry,
  StorageMarket,
} from "../../../typechain-types/index.ts";
import { TestGroup } from "./beacon.ts";
import { distinctTree, type TestTree } from "./tree.ts";

export const { ethers, networkHelpers } = await network.getOrCreate();

export const GWEI = 1_000_000_000n;
export const PERIOD_SECONDS = 100n;
export const ROUND_SECONDS = 3n;
export const SEED_DELAY_SECONDS = 12n;
export const MAX_LAG_SECONDS = 30n;
export const REPORT_WINDOW = 6;
export const SAMPLES = 5;
export const UNBONDING_SECONDS = 1_000n;
export const HEADER = "0x0102030405060708";
export const PARAMS: IPenaltyPolicy.ParamsStruct = {
  warningWindowPeriods: 20,
  missBps: 500,
  repeatBps: 250,
  maxMissBps: 3_000,
  destroyAfterMisses: 4,
  decayPeriods: 5,
  fundBps: 4_000,
  reporterBps: 500,
  protocolFeeBps: 200,
};
export const OFFER_TYPES = {
  Offer: (
    "uint32 providerId,uint32 operatorEpoch,address owner,address payer,bytes32 dealSalt,uint8 slotIndex,uint8 k,uint8 n," +
    "bytes32 headerHash,bytes32 root,uint64 leafCount,uint256 payPerPeriodWei,uint256 collateralWei,uint32 startBy," +
    "uint32 periods,uint32 renewUntil,uint64 expiry"
  )
    .split(",")
    .map((field) => ({ type: field.split(" ")[0] ?? "", name: field.split(" ")[1] ?? "" })),
};
export const FAR = 4_000_000_000n;

export type SampleStruct = IPossessionProofs.SampleStruct;
export type SlotOffer = Omit<IStorageMarket.SlotOfferStruct, "payPerPeriodWei" | "collateralWei"> & {
  payPerPeriodWei: bigint;
  collateralWei: bigint;
};
export type DealTerms = Omit<IStorageMarket.DealTermsStruct, "offers" | "periods" | "startBy" | "k"> & {
  offers: SlotOffer[];
  periods: number;
  startBy: number;
  k: number;
};

export interface TestProvider {
  readonly providerId: number;
  readonly owner: HardhatEthersSigner;
  readonly operator: HardhatEthersSigner;
}

interface LineEntry {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly tree: TestTree;
}

export interface DealOptions {
  readonly owner?: HardhatEthersSigner;
  readonly payer?: HardhatEthersSigner;
  readonly k?: number;
  readonly periods?: number;
  readonly payPerPeriodWei?: bigint | readonly bigint[];
  readonly collateralWei?: bigint;
  readonly tree?: TestTree;
  readonly renewUntil?: number;
}

export interface OpenedDeal {
  readonly dealId: string;
  readonly terms: DealTerms;
  readonly trees: readonly TestTree[];
  readonly receipt: ContractTransactionReceipt;
}

async function mined(transaction: Promise<ContractTransactionResponse>): Promise<ContractTransactionReceipt> {
  const receipt = await (await transaction).wait();
  if (receipt === null) throw new Error("not mined");
  return receipt;
}

export class World {
  readonly group = new TestGroup();
  readonly trees = new Map<string, TestTree>();
  #salt = 0;

  readonly token: PpioToken;
  readonly beacon: DrandBeacon;
  readonly policy: PenaltyPolicy;
  readonly registry: ProviderRegistry;
  readonly proofs: PossessionProofs;
  readonly market: StorageMarket;
  readonly signers: HardhatEthersSigner[];

  constructor(contracts: Pick<World, "token" | "beacon" | "policy" | "registry" | "proofs" | "market">, signers: HardhatEthersSigner[]) {
    this.token = contracts.token;
    this.beacon = contracts.beacon;
    this.policy = contracts.policy;
    this.registry = contracts.registry;
    this.proofs = contracts.proofs;
    this.market = contracts.market;
    this.signers = signers;
  }

  signer(index: number): HardhatEthersSigner {
    const signer = this.signers[index];
    if (signer === undefined) throw new Error(`no signer ${index}`);
    return signer;
  }

  /** The owner and payer of deals unless told otherwise. */
  get user(): HardhatEthersSigner {
    return this.signer(1);
  }

  get reporter(): HardhatEthersSigner {
    return this.signer(2);
  }

  // ---- time ----

  async period(): Promise<number> {
    return Number(await this.proofs.currentPeriod());
  }

  /** Moves time to `offsetSeconds` after `period` opened. */
  async enter(period: number, offsetSeconds = 5n): Promise<void> {
    const [open] = await this.proofs.periodBounds(period);
    await networkHelpers.time.increaseTo(open + offsetSeconds);
  }

  async next(): Promise<number> {
    const period = (await this.period()) + 1;
    await this.enter(period);
    return period;
  }

  /** Waits for the round that seeds `period` and submits it in time. */
  async seed(period: number): Promise<void> {
    const round = await this.proofs.seedRound(period);
    if ((await this.beacon.randomness(round)) !== ethers.ZeroHash) return;
    const due = await this.beacon.timeOfRound(round);
    if (BigInt(await networkHelpers.time.latest()) < due) await networkHelpers.time.increaseTo(due);
    await this.beacon.submit(round, this.group.sign(round).signature);
  }

  // ---- providers ----

  async addProvider(index: number, collateralWei = 1_000n * 10n ** 18n): Promise<TestProvider> {
    const owner = this.signer(4 + index);
    const operator = this.signer(12 + index);
    await this.registry.connect(owner).register(operator, `http://p${index}`, 1n, 1n << 40n, id(`domain${index}`));
    const providerId = Number(await this.registry.providerCount());
    if (collateralWei > 0n) {
      await this.token.faucet(owner);
      await this.token.connect(owner).approve(this.registry, collateralWei);
      await this.registry.connect(owner).depositCollateral(providerId, collateralWei);
    }
    return { providerId, owner, operator };
  }

  // ---- deals ----

  async signOffer(terms: DealTerms, slotIndex: number, offer: SlotOffer, operator: HardhatEthersSigner): Promise<string> {
    return operator.signTypedData(await this.domain(), OFFER_TYPES, {
      ...offer,
      ...terms,
      slotIndex,
      n: terms.offers.length,
      headerHash: keccak256(terms.header),
    });
  }

  async domain(): Promise<{ name: string; version: string; chainId: bigint; verifyingContract: string }> {
    const { chainId } = await ethers.provider.getNetwork();
    return { name: "PPIO StorageMarket", version: "1", chainId, verifyingContract: await this.market.getAddress() };
  }

  async makeOffer(provider: TestProvider, tree: TestTree, payPerPeriodWei: bigint, collateralWei: bigint): Promise<SlotOffer> {
    return {
      providerId: provider.providerId,
      operatorEpoch: await this.registry.operatorEpochOf(provider.providerId),
      root: tree.root,
      leafCount: tree.leafCount,
      payPerPeriodWei,
      collateralWei,
      expiry: FAR,
      signature: "0x",
    };
  }

  async makeTerms(providers: readonly TestProvider[], options: DealOptions = {}): Promise<{ terms: DealTerms; trees: TestTree[] }> {
    this.#salt += 1;
    const dealSalt = id(`salt${this.#salt}`);
    const owner = options.owner ?? this.user;
    const pay = options.payPerPeriodWei ?? 10n ** 15n;
    const trees = providers.map((_, i) => options.tree ?? distinctTree(`${dealSalt}/${i}`, 5));
    const offers: SlotOffer[] = [];
    for (const [i, provider] of providers.entries()) {
      const payWei = typeof pay === "bigint" ? pay : (pay[i] ?? 0n);
      offers.push(await this.makeOffer(provider, trees[i] ?? distinctTree("", 1), payWei, options.collateralWei ?? 10n ** 18n));
    }
    const terms: DealTerms = {
      owner: owner.address,
      payer: (options.payer ?? owner).address,
      dealSalt,
      k: options.k ?? 1,
      header: HEADER,
      startBy: (await this.period()) + 1,
      periods: options.periods ?? 10,
      renewUntil: options.renewUntil ?? 0,
      offers,
    };
    await this.signAll(terms, providers);
    return { terms, trees };
  }

  async signAll(terms: DealTerms, providers: readonly TestProvider[]): Promise<void> {
    for (const [i, provider] of providers.entries()) {
      const offer = terms.offers[i];
      if (offer !== undefined) offer.signature = await this.signOffer(terms, i, offer, provider.operator);
    }
  }

  async fund(account: HardhatEthersSigner, amountWei: bigint): Promise<void> {
    await this.token.connect(this.signer(0)).transfer(account, amountWei);
    await this.token.connect(account).approve(this.market, amountWei);
  }

  async open(providers: readonly TestProvider[], options: DealOptions = {}): Promise<OpenedDeal> {
    const { terms, trees } = await this.makeTerms(providers, options);
    const escrowWei = terms.offers.reduce((sum, offer) => sum + offer.payPerPeriodWei, 0n) * BigInt(terms.periods);
    const owner = options.owner ?? this.user;
    await this.fund(owner, escrowWei);
    const receipt = await mined(this.market.connect(owner).openDeals([terms]));
    const dealId = await this.market.dealIdOf(terms.owner, terms.dealSalt);
    for (const [i, tree] of trees.entries()) this.trees.set(`${dealId}/${i}`, tree);
    return { dealId, terms, trees, receipt };
  }

  // ---- proofs ----

  /** Every interval that is on a provider's line, where it is now. */
  async line(providerId: number): Promise<LineEntry[]> {
    const events = await this.market.queryFilter(this.market.filters.SlotFilled(undefined, undefined, providerId));
    const offLine = await this.proofs.OFF_LINE_GWEI();
    const entries: LineEntry[] = [];
    for (const { args } of events) {
      const { dealId, slotIndex, payGwei } = args;
      const { startGwei: start } = await this.market.slotForProof(dealId, slotIndex);
      const tree = this.trees.get(`${dealId}/${slotIndex}`) ?? distinctTree("", 1);
      if (start !== offLine) entries.push({ dealId, slotIndex: Number(slotIndex), start, end: start + payGwei, tree });
    }
    return entries;
  }

  /** Samples that answer `period`, holes included. */
  async samples(providerId: number, period: number): Promise<SampleStruct[]> {
    const seed = await this.proofs.seedOf(period);
    const length = await this.proofs.lengthAt(providerId, period);
    const line = await this.line(providerId);
    const { gapStartGwei, gapEndGwei } = await this.proofs.compactionOf(providerId);
    const samples: SampleStruct[] = [];
    for (let draw = 0, live = 0; live < SAMPLES && draw < 256; draw++) {
      const point = BigInt(solidityPackedKeccak256(["bytes32", "uint32", "uint32", "uint32"], [seed, providerId, period, draw])) % length;
      if (gapStartGwei <= point && point < gapEndGwei) continue;
      const entry = line.find(({ start, end }) => start <= point && point < end);
      if (entry === undefined) throw new Error(`no slot at ${point}`);
      const slot = await this.market.slotForProof(entry.dealId, entry.slotIndex);
      const isLive = slot.fromPeriod <= BigInt(period) && BigInt(period) < slot.liveUntil;
      const leaf =
        BigInt(solidityPackedKeccak256(["bytes32", "uint32", "uint32", "uint32", "string"], [seed, providerId, period, draw, "leaf"])) %
        BigInt(entry.tree.leafCount);
      samples.push({ dealId: entry.dealId, slotIndex: entry.slotIndex, proof: isLive ? entry.tree.prove(Number(leaf)) : "0x" });
      if (isLive) live += 1;
    }
    return samples;
  }

  async prove(providerId: number, period: number): Promise<ContractTransactionReceipt> {
    await this.seed(period);
    return mined(this.proofs.prove(providerId, period, await this.samples(providerId, period)));
  }

  /** Enters the next period and proves the one that has just closed, for each provider named. */
  async pass(...providers: readonly TestProvider[]): Promise<number> {
    const period = await this.next();
    await this.seed(period - 1);
    for (const { providerId } of providers) await this.prove(providerId, period - 1);
    return period;
  }

  async report(providerId: number, period: number, dealId: string, slotIndex: number): Promise<ContractTransactionReceipt> {
    return mined(this.proofs.connect(this.reporter).reportMiss(providerId, period, dealId, slotIndex));
  }

  async settleAll(deal: OpenedDeal): Promise<ContractTransactionReceipt> {
    return mined(
      this.market.settle(
        deal.dealId,
        deal.terms.offers.map((_, i) => i),
      ),
    );
  }

  /** M1 to the wei: what the market holds is what it owes. */
  async bookedWei(deals: readonly OpenedDeal[], accounts: readonly string[]): Promise<bigint> {
    let total = (await this.market.repairFundWei()) + (await this.market.unclaimedWei());
    for (const account of new Set(accounts)) total += await this.market.creditOf(account);
    for (const { dealId } of deals) {
      const { end } = await this.market.deal(dealId);
      for (const slot of await this.market.slots(dealId)) {
        const isOpen = slot.status === 1n || slot.status === 2n;
        if (isOpen && end > slot.settledTo) total += slot.payGwei * GWEI * (end - slot.settledTo);
      }
    }
    return total;
  }
}

/** Deploys everything; addresses that depend on each other come from the deployer's nonce. */
export async function deployWorld(): Promise<World> {
  const signers = await ethers.getSigners();
  const [deployer] = signers;
  if (deployer === undefined) throw new Error("no signers");
  const genesis = BigInt(await networkHelpers.time.latest()) + 1n;
  const token = await ethers.deployContract("PpioToken");
  for (let i = 0; i < 5; i++) {
    await token.faucet(deployer);
    await networkHelpers.time.increase(86_400);
  }
  const group = new TestGroup();
  const beacon = await ethers.deployContract("DrandBeacon", [group.publicKey, genesis, ROUND_SECONDS, MAX_LAG_SECONDS]);
  const policy = await ethers.deployContract("PenaltyPolicy", [PARAMS]);
  const nonce = await deployer.getNonce();
  const [registryAt, proofsAt, marketAt] = [0, 1, 2].map((i) => getCreateAddress({ from: deployer.address, nonce: nonce + i }));
  const registry = await ethers.deployContract("ProviderRegistry", [token, marketAt ?? "", proofsAt ?? "", UNBONDING_SECONDS]);
  const proofs = await ethers.deployContract("PossessionProofs", [
    {
      registry: registryAt ?? "",
      market: marketAt ?? "",
      policy,
      beacon,
      genesisTime: genesis,
      periodSeconds: PERIOD_SECONDS,
      seedDelaySeconds: SEED_DELAY_SECONDS,
      reportWindowPeriods: REPORT_WINDOW,
      samplesPerProof: SAMPLES,
    },
  ]);
  const market = await ethers.deployContract("StorageMarket", [token, registryAt ?? "", proofsAt ?? "", policy]);
  const world = new World({ token, beacon, policy, registry, proofs, market }, signers);
  await world.next();
  return world;
}

/** A fresh copy of `world`'s signers bound to a contract: saves the `.connect` noise where many callers act. */
export async function addressOf(contract: BaseContract): Promise<string> {
  return contract.getAddress();
}
