/** A developer's sponsor pool, on the real market or on a double of it, and how its parties sign. */
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { dealIdOf, providersHashOf, type SponsorDomain, type Sponsorship, sponsorshipMessage } from "@ppio/core";
import { concat, keccak256, ZeroHash } from "ethers";
import type { SponsorPool, SponsorPools } from "../../../typechain-types/index.ts";
import { ethers } from "./chain.ts";
import { FAR } from "./parameters.ts";
import { OPEN_DEAL_TYPES } from "./typed-data.ts";
import type { DealTerms, TestProvider, World } from "./world.ts";

export const WINDOW_SECONDS = 1_000n;
export const USER_WEI_MAX = 10n ** 18n;
export const USER_DEALS_MAX = 3;
export const BUDGET_WEI = 3n * 10n ** 18n;

export interface Pool {
  readonly pool: SponsorPool;
  readonly pools: SponsorPools;
  readonly developer: HardhatEthersSigner;
  readonly hotKey: HardhatEthersSigner;
  readonly domain: SponsorDomain;
}

/** A pool on `market` with hot key, limits and budget set; without tokens. */
export async function deployPool(market: string, developer: HardhatEthersSigner, hotKey: HardhatEthersSigner): Promise<Pool> {
  const pools = await ethers.deployContract("SponsorPools", [market]);
  await pools.createPool(developer);
  const pool = await ethers.getContractAt("SponsorPool", await pools.poolOf(developer));
  const asDeveloper = pool.connect(developer);
  await asDeveloper.setHotKey(hotKey);
  await asDeveloper.setLimits({ userWeiPerWindow: USER_WEI_MAX, userDealsPerWindow: USER_DEALS_MAX, windowSeconds: WINDOW_SECONDS });
  await asDeveloper.setBudget(BUDGET_WEI);
  const { chainId } = await ethers.provider.getNetwork();
  return { pool, pools, developer, hotKey, domain: { chainId, pool: await pool.getAddress() } };
}

/** Everything that `SponsorPool.openDeal` takes. */
export interface SponsoredDeal {
  readonly terms: DealTerms;
  readonly escrowWei: bigint;
  readonly ownerSignature: string;
  readonly sponsorship: Sponsorship;
  readonly signature: string;
}

export interface SponsoredOptions {
  readonly user: HardhatEthersSigner;
  readonly payPerPeriodWei?: bigint;
  readonly periods?: number;
  readonly renewUntil?: number;
  /** What the developer signs otherwise than the terms ask for. */
  readonly signed?: Partial<Sponsorship>;
  readonly signer?: HardhatEthersSigner;
  readonly domain?: SponsorDomain;
}

export const escrowOf = (terms: DealTerms): bigint =>
  terms.offers.reduce((sum, offer) => sum + offer.payPerPeriodWei, 0n) * BigInt(terms.periods);

/** What an owner signs so that another one may open `terms`. */
export function openDealMessage(terms: DealTerms): Record<string, unknown> {
  return {
    owner: terms.owner,
    payer: terms.payer,
    dealSalt: terms.dealSalt,
    headerHash: keccak256(terms.header),
    rootsHash: keccak256(concat(terms.offers.map(({ root }) => root as string))),
    maxEscrowWei: escrowOf(terms),
    deadline: FAR,
  };
}

/** The user's OpenDeal over `terms`. */
export async function signOpenDeal(world: World, terms: DealTerms, user: HardhatEthersSigner): Promise<string> {
  return user.signTypedData(await world.domain(), OPEN_DEAL_TYPES, openDealMessage(terms));
}

/** Terms that `providers` offered, with the pool as payer, signed by all three parties. */
export async function makeSponsored(
  world: World,
  { pool, hotKey, domain }: Pool,
  providers: readonly TestProvider[],
  options: SponsoredOptions,
): Promise<SponsoredDeal> {
  const { user, periods = 10, payPerPeriodWei = 10n ** 15n, renewUntil = 0 } = options;
  const { terms, trees } = await world.makeTerms(providers, { owner: user, periods, payPerPeriodWei, renewUntil });
  terms.payer = await pool.getAddress();
  await world.signAll(terms, providers);
  const escrowWei = escrowOf(terms);
  const market = await pool.market();
  const dealId = dealIdOf({ chainId: domain.chainId, market }, user.address, terms.dealSalt as string);
  for (const [at, tree] of trees.entries()) world.trees.set(`${dealId}/${at}`, tree);
  const sponsorship: Sponsorship = {
    dealId,
    user: user.address,
    providersHash: ZeroHash,
    leafCountMin: Number(terms.offers[0]?.leafCount ?? 0),
    payPerPeriodMaxWei: payPerPeriodWei,
    periodsMax: periods,
    escrowMaxWei: escrowWei,
    deadline: Number(FAR),
    ...options.signed,
  };
  const signature = await sponsorshipMessage.sign(options.domain ?? domain, sponsorship, options.signer ?? hotKey);
  return { terms, escrowWei, ownerSignature: await signOpenDeal(world, terms, user), sponsorship, signature };
}

export function openSponsored(pool: SponsorPool, deal: SponsoredDeal) {
  return pool.openDeal(deal.terms, deal.escrowWei, FAR, deal.ownerSignature, deal.sponsorship, deal.signature);
}

export const hashOfProviders = (terms: DealTerms): string => providersHashOf(terms.offers.map(({ providerId }) => Number(providerId)));
