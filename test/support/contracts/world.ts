/** The whole network of contracts on a simulated chain, with providers that can prove, and a beacon that signs on demand. */

import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import {
  type AddressLike,
  type ContractTransactionReceipt,
  type ContractTransactionResponse,
  id,
  keccak256,
  Signature,
  solidityPackedKeccak256,
  ZeroHash,
} from "ethers";
import type {
  DrandBeacon,
  FraudProofs,
  IPossessionProofs,
  IStorageMarket,
  PenaltyPolicy,
  PossessionProofs,
  PpioToken,
  ProviderRegistry,
  SlotChallenges,
  SlotRepair,
  StorageMarket,
} from "../../../typechain-types/index.ts";
import { TestGroup } from "./beacon.ts";
import { ethers, networkHelpers } from "./chain.ts";
import { FAR, GWEI, HEADER, OFFER_TYPES, REPORT_DELAY_BLOCKS, SAMPLES } from "./parameters.ts";
import { distinctTree, type TestTree } from "./tree.ts";

export type SampleStruct = IPossessionProofs.SampleStruct;
export type SlotOffer = Omit<IStorageMarket.SlotOfferStruct, "payPerPeriodWei" | "collateralWei"> & {
  payPerPeriodWei: bigint;
  collateralWei: bigint;
};
export type DealTerms = Omit<IStorageMarket.DealTermsStruct, "offers" | "periods" | "startBy" | "k" | "header"> & {
  header: string;
  offers: SlotOffer[];
  periods: number;
  startBy: number;
  k: number;
};

/** What an operator must know of a deal to sign an offer: not the other offers. */
type OfferedTerms = Omit<DealTerms, "offers"> & { readonly offers: { readonly length: number } };

/** What an operator signs. */
export function offerMessage(terms: OfferedTerms, slotIndex: number, offer: SlotOffer): Record<string, unknown> {
  return { ...offer, ...terms, slotIndex, n: terms.offers.length, headerHash: keccak256(terms.header) };
}

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
  readonly header?: string;
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

/** A token that everything is deployed over, and how an account gets 10,000 of it. */
export interface TokenSource {
  readonly token: PpioToken;
  drip(to: AddressLike): Promise<unknown>;
}

type Contracts = TokenSource & Pick<World, "beacon" | "policy" | "registry" | "proofs" | "market" | "challenges" | "repair" | "fraud">;

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
  readonly challenges: SlotChallenges;
  readonly repair: SlotRepair;
  readonly fraud: FraudProofs;
  readonly signers: HardhatEthersSigner[];
  readonly drip: TokenSource["drip"];

  constructor(contracts: Contracts, signers: HardhatEthersSigner[]) {
    this.token = contracts.token;
    this.drip = contracts.drip;
    this.beacon = contracts.beacon;
    this.policy = contracts.policy;
    this.registry = contracts.registry;
    this.proofs = contracts.proofs;
    this.market = contracts.market;
    this.challenges = contracts.challenges;
    this.repair = contracts.repair;
    this.fraud = contracts.fraud;
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

  get timelock(): HardhatEthersSigner {
    return this.signer(3);
  }

  /** Stands in the place of the verifier committee. */
  get committee(): HardhatEthersSigner {
    return this.signer(4);
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
    const owner = this.signer(20 + 2 * index);
    const operator = this.signer(21 + 2 * index);
    await this.registry.connect(owner).register(operator, `http://p${index}`, 1n, 1n << 40n, id(`domain${index}`));
    const providerId = Number(await this.registry.providerCount());
    if (collateralWei > 0n) {
      await this.drip(owner);
      await this.token.connect(owner).approve(this.registry, collateralWei);
      await this.registry.connect(owner).depositCollateral(providerId, collateralWei);
    }
    return { providerId, owner, operator };
  }

  // ---- deals ----

  async signOffer(
    terms: OfferedTerms,
    slotIndex: number,
    offer: SlotOffer,
    operator: HardhatEthersSigner,
  ): Promise<{ r: string; vs: string }> {
    const signed = await operator.signTypedData(await this.domain(), OFFER_TYPES, offerMessage(terms, slotIndex, offer));
    const { r, yParityAndS: vs } = Signature.from(signed);
    return { r, vs };
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
      r: ZeroHash,
      vs: ZeroHash,
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
      header: options.header ?? HEADER,
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
      if (offer !== undefined) Object.assign(offer, await this.signOffer(terms, i, offer, provider.operator));
    }
  }

  /** Gives an account tokens, and the market or another taker an allowance of them. */
  async fund(account: HardhatEthersSigner, amountWei: bigint, taker: AddressLike = this.market): Promise<void> {
    await this.token.connect(this.signer(0)).transfer(account, amountWei);
    await this.token.connect(account).approve(taker, amountWei);
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
      const { startGwei: start } = await this.market.slotForProof(dealId, slotIndex, providerId);
      const tree = this.trees.get(`${dealId}/${slotIndex}`) ?? distinctTree("", 1);
      if (start !== offLine) entries.push({ dealId, slotIndex: Number(slotIndex), start, end: start + payGwei, tree });
    }
    return entries;
  }

  /** Samples that answer `period`, holes included; the slots of `lostDealId` are named lost. */
  async samples(providerId: number, period: number, lostDealId = ""): Promise<SampleStruct[]> {
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
      const slot = await this.market.slotForProof(entry.dealId, entry.slotIndex, providerId);
      const isLive = entry.dealId !== lostDealId && slot.fromPeriod <= BigInt(period) && BigInt(period) < slot.untilPeriod;
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

  /** Opens the reports of the running period and lets the blocks pass in which a halt could be shown. */
  async openReports(): Promise<void> {
    const { period } = await this.proofs.reportsOpen();
    if (Number(period) !== (await this.period())) await this.proofs.openReports();
    const { blockNumber } = await this.proofs.reportsOpen();
    const passed = (await ethers.provider.getBlockNumber()) - Number(blockNumber);
    if (passed < REPORT_DELAY_BLOCKS) await networkHelpers.mine(REPORT_DELAY_BLOCKS - passed, { interval: 0 });
  }

  async report(providerId: number, period: number, dealId: string, slotIndex: number): Promise<ContractTransactionReceipt> {
    await this.openReports();
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

  /** Terms under which a provider takes a slot of an opened deal over, and its signed offer for it, with what is said of it changed. */
  async refillOffer(
    deal: Pick<OpenedDeal, "dealId" | "terms" | "trees">,
    slotIndex: number,
    provider: TestProvider,
    change: { readonly collateralWei?: bigint } = {},
  ) {
    const slot = await this.market.slot(deal.dealId, slotIndex);
    const { renewUntil, payer, header, end } = await this.market.deal(deal.dealId);
    const tree = deal.trees[slotIndex] ?? distinctTree("", 1);
    const offer = await this.makeOffer(provider, tree, slot.payGwei * GWEI, change.collateralWei ?? slot.collateralGwei * GWEI);
    const startBy = (await this.period()) + 1;
    const refill = { dealSalt: deal.terms.dealSalt, startBy, periods: Math.max(1, Number(end) - startBy) };
    const terms = { ...deal.terms, ...refill, payer, renewUntil, header };
    return { offer: { ...offer, ...(await this.signOffer(terms, slotIndex, offer, provider.operator)) }, refill };
  }

  /** Proofs of named leaves of a slot, for challenges and repair. */
  leafProofs(dealId: string, slotIndex: number, leaves: readonly bigint[]): string[] {
    const tree = this.trees.get(`${dealId}/${slotIndex}`) ?? distinctTree("", 1);
    return leaves.map((leaf) => tree.prove(Number(leaf)));
  }

  /** Waits for a drand round and submits it. */
  async submitRound(round: bigint): Promise<void> {
    const due = await this.beacon.timeOfRound(round);
    if (BigInt(await networkHelpers.time.latest()) < due) await networkHelpers.time.increaseTo(due);
    await this.beacon.submit(round, this.group.sign(round).signature);
  }

  /** M1 to the wei: what the market holds is what it owes. */
  async bookedWei(deals: readonly OpenedDeal[], accounts: readonly string[]): Promise<bigint> {
    let total = (await this.market.repairFundWei()) + (await this.market.unclaimedWei());
    for (const account of new Set(accounts)) total += await this.market.creditOf(account);
    for (const { dealId } of deals) {
      const { end } = await this.market.deal(dealId);
      for (const [slotIndex, slot] of (await this.market.slots(dealId)).entries()) {
        const isOpen = slot.status !== 0n && slot.status !== 3n;
        if (isOpen && end > slot.settledTo) total += slot.payGwei * GWEI * (end - slot.settledTo);
        total += await this.pastWei(dealId, slotIndex);
      }
    }
    return total;
  }

  /** Escrow of tenures that ended before their deal. */
  async pastWei(dealId: string, slotIndex: number): Promise<bigint> {
    let total = 0n;
    for (let providerId = 1n; providerId <= (await this.registry.providerCount()); providerId += 1n) {
      const past = await this.market.pastTenure(dealId, slotIndex, providerId);
      if (!past.isSettled && past.untilPeriod > past.settledTo) total += past.payGwei * GWEI * (past.untilPeriod - past.settledTo);
    }
    return total;
  }
}
