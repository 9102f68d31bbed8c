/**
 * Two developers' pools on one market through random histories: developers, users, strangers and thieves act from a seed, a model
 * foretells every outcome, and after every step the books must agree to the wei.
 */
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { revertData } from "@ppio/core";
import { expect } from "chai";
import { networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { deployPool, makeSponsored, openSponsored, type Pool, type SponsoredDeal } from "../support/contracts/sponsor-world.ts";
import type { TestProvider, World } from "../support/contracts/world.ts";

const SEEDS = [1, 2, 3];
const STEPS = 110;
const WINDOW_SECONDS = 700n;
/** What must have come up in one seed or another. */
const OUTCOMES = [
  "opened",
  "terminated",
  "reclaimed",
  "InvalidSponsorSignature",
  "WrongSponsorshipStatus",
  "UserQuotaExceeded",
  "UserDealsExceeded",
  "BudgetExceeded",
  "ERC20InsufficientBalance",
];
const GAS = { gasLimit: 3_000_000n };

/** Small and repeatable (mulberry32); a failing seed can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Used {
  wei: bigint;
  deals: number;
  start: bigint;
}

/** What a pool must say, kept apart from it. */
class PoolModel {
  readonly made: Pool;
  readonly users = new Map<string, Used>();
  readonly open: SponsoredDeal[] = [];
  readonly signed: SponsoredDeal[] = [];
  readonly cancelled = new Set<string>();
  signer: string;
  received = 0n;
  spent = 0n;
  reclaimed = 0n;
  withdrawn = 0n;
  budget = 0n;
  userWei = 0n;
  userDeals = 0;

  constructor(made: Pool) {
    this.made = made;
    this.signer = made.hotKey.address;
  }

  get balance(): bigint {
    return this.received + this.reclaimed - this.spent - this.withdrawn;
  }

  running(user: string, now: bigint): Used {
    const used = this.users.get(user);
    return used === undefined || now >= used.start + WINDOW_SECONDS ? { wei: 0n, deals: 0, start: now } : used;
  }

  /** The error that opening must end in, or none. */
  foretell(deal: SponsoredDeal, signedBy: string, now: bigint): string | undefined {
    const { dealId, user } = deal.sponsorship;
    if (signedBy !== this.signer) return "InvalidSponsorSignature";
    if (this.cancelled.has(dealId) || this.open.includes(deal)) return "WrongSponsorshipStatus";
    const used = this.running(user, now);
    if (used.wei + deal.escrowWei > this.userWei) return "UserQuotaExceeded";
    if (used.deals + 1 > this.userDeals) return "UserDealsExceeded";
    if (deal.escrowWei > this.budget) return "BudgetExceeded";
    return deal.escrowWei > this.balance ? "ERC20InsufficientBalance" : undefined;
  }

  charge(deal: SponsoredDeal, now: bigint): void {
    const { user } = deal.sponsorship;
    const used = this.running(user, now);
    this.users.set(user, { wei: used.wei + deal.escrowWei, deals: used.deals + 1, start: used.start });
    this.spent += deal.escrowWei;
    this.budget -= deal.escrowWei;
    this.open.push(deal);
  }
}

class History {
  readonly world: World;
  readonly providers: readonly TestProvider[];
  readonly pools: readonly PoolModel[];
  readonly users: readonly HardhatEthersSigner[];
  readonly thief: HardhatEthersSigner;
  readonly seen = new Map<string, number>();
  readonly #next: () => number;

  constructor(world: World, providers: readonly TestProvider[], pools: readonly PoolModel[], seed: number) {
    this.world = world;
    this.providers = providers;
    this.pools = pools;
    this.users = [world.signer(8), world.signer(9)];
    this.thief = world.signer(10);
    this.#next = random(seed);
  }

  below(bound: number): number {
    return Math.floor(this.#next() * bound);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }

  note(outcome: string): void {
    this.seen.set(outcome, (this.seen.get(outcome) ?? 0) + 1);
  }

  /** Runs a call at a known time and returns the name of the error it ended in. */
  async outcome(now: bigint, call: () => Promise<{ wait(): Promise<unknown> }>): Promise<string | undefined> {
    await networkHelpers.time.setNextBlockTimestamp(now);
    try {
      await (await call()).wait();
      return undefined;
    } catch (error) {
      const data = revertData(error) ?? "0x";
      const { pool } = this.pools[0]?.made ?? {};
      for (const abi of [pool?.interface, this.world.market.interface, this.world.token.interface]) {
        const parsed = abi?.parseError(data);
        if (parsed) return parsed.name;
      }
      throw error;
    }
  }

  async soon(): Promise<bigint> {
    return BigInt(await networkHelpers.time.latest()) + 2n + BigInt(this.below(20));
  }

  async openNew(model: PoolModel): Promise<void> {
    const user = this.pick(this.users);
    if (user === undefined) return;
    const forged = this.below(5) === 0;
    const deal = await makeSponsored(this.world, model.made, this.providers, {
      user,
      periods: 1 + this.below(8),
      payPerPeriodWei: 10n ** 15n * BigInt(1 + this.below(25)),
      ...(forged ? { signer: this.thief } : {}),
    });
    await this.submit(model, deal, forged ? this.thief.address : model.made.hotKey.address);
    if (!forged) model.signed.push(deal);
  }

  /** Anybody submits; what the model foretold is what must happen. */
  async submit(model: PoolModel, deal: SponsoredDeal, signedBy: string): Promise<void> {
    const now = await this.soon();
    const expected = model.foretell(deal, signedBy, now);
    const submitter = this.pick([...this.users, this.thief]) ?? this.thief;
    const actual = await this.outcome(now, () =>
      model.made.pool
        .connect(submitter)
        .openDeal(deal.terms, deal.escrowWei, 4_000_000_000n, deal.ownerSignature, deal.sponsorship, deal.signature, GAS),
    );
    // Offers that were signed for an earlier period are too late by now, which the market says after the pool has agreed.
    const late = expected === undefined || expected === "ERC20InsufficientBalance";
    if (!(late && actual === "TooLate")) expect(actual).to.equal(expected);
    this.note(actual ?? "opened");
    if (actual === undefined) model.charge(deal, now);
  }

  async replay(model: PoolModel): Promise<void> {
    const deal = this.pick(model.signed);
    if (deal !== undefined) await this.submit(model, deal, model.made.hotKey.address);
  }

  /** One developer's signature at the other's pool. */
  async cross(model: PoolModel): Promise<void> {
    const other = this.pools.find((pool) => pool !== model);
    const deal = this.pick(model.signed);
    if (other === undefined || deal === undefined) return;
    const ended = await this.outcome(await this.soon(), () => openSponsored(other.made.pool, deal));
    expect(ended).to.equal("InvalidSponsorSignature");
  }

  async steal(model: PoolModel): Promise<void> {
    const thief = this.pick([this.thief, model.made.hotKey, ...this.users]) ?? this.thief;
    const pool = model.made.pool.connect(thief);
    const call = this.pick([
      () => pool.withdraw(thief, 1n, GAS),
      () => pool.setBudget(2n ** 200n, GAS),
      () => pool.setHotKey(thief, GAS),
      () => pool.transferOwnership(thief, GAS),
    ]);
    if (call !== undefined) expect(await this.outcome(await this.soon(), call)).to.equal("OwnableUnauthorizedAccount");
  }

  async govern(model: PoolModel): Promise<void> {
    const { pool, developer, hotKey } = model.made;
    const as = pool.connect(developer);
    const what = this.below(5);
    if (what === 0) {
      model.budget = 10n ** 16n * BigInt(this.below(150));
      await as.setBudget(model.budget);
    } else if (what === 1) {
      [model.userWei, model.userDeals] = [10n ** 16n * BigInt(20 + this.below(80)), 1 + this.below(3)];
      await as.setLimits({ userWeiPerWindow: model.userWei, userDealsPerWindow: model.userDeals, windowSeconds: WINDOW_SECONDS });
    } else if (what === 2) {
      model.signer = model.signer === hotKey.address && this.below(3) === 0 ? developer.address : hotKey.address;
      await as.setHotKey(model.signer);
    } else if (what === 3) {
      const unused = model.signed.find((deal) => !model.open.includes(deal) && !model.cancelled.has(deal.sponsorship.dealId));
      if (unused === undefined) return;
      await as.cancel(unused.sponsorship.dealId);
      model.cancelled.add(unused.sponsorship.dealId);
    } else if (model.balance > 0n) {
      const amount = model.balance / BigInt(2 + this.below(4));
      await as.withdraw(developer, amount);
      model.withdrawn += amount;
    }
  }

  async fund(model: PoolModel): Promise<void> {
    const amount = 10n ** 16n * BigInt(1 + this.below(100));
    const giver = this.world.signer(0);
    await this.world.token.connect(giver).approve(model.made.pool, amount);
    if (this.below(2) === 0) await model.made.pool.connect(giver).fund(amount);
    else await this.world.token.connect(giver).transfer(model.made.pool, amount);
    model.received += amount;
  }

  async reclaim(model: PoolModel): Promise<void> {
    const owed = await this.world.market.creditOf(model.made.pool);
    const ended = await this.outcome(await this.soon(), () => model.made.pool.connect(this.thief).reclaim(GAS));
    expect(ended).to.equal(owed === 0n ? "NothingToReclaim" : undefined);
    model.reclaimed += owed;
    if (owed > 0n) this.note("reclaimed");
  }

  /** Users end deals early, anybody settles. */
  async touch(model: PoolModel): Promise<void> {
    const deal = this.pick(model.open);
    if (deal === undefined) return;
    const { dealId, user } = deal.sponsorship;
    const owner = this.users.find(({ address }) => address === user) ?? this.thief;
    if (this.below(2) === 0 && (await this.world.market.deal(dealId)).status === 1n) {
      await this.world.market.connect(owner).terminate(dealId);
      this.note("terminated");
    }
    await this.world.market.connect(this.thief).settle(dealId, [0, 1]);
  }

  async nextPeriod(): Promise<void> {
    const period = await this.world.next();
    await this.world.seed(period - 1);
    for (const { providerId } of this.providers) {
      if (this.below(3) > 0) await this.world.prove(providerId, period - 1).catch(() => undefined);
    }
  }

  async check(): Promise<void> {
    const { market, token } = this.world;
    const now = BigInt(await networkHelpers.time.latest());
    for (const model of this.pools) {
      const { pool } = model.made;
      expect(await token.balanceOf(pool)).to.equal(model.balance); // S8, and S1 with it
      expect(await pool.totals()).to.deep.equal([model.spent, model.reclaimed, model.withdrawn]);
      expect(await pool.budgetWei()).to.equal(model.budget); // S4, S6
      expect(await token.allowance(pool, market)).to.equal(0n); // S7
      for (const { address } of this.users) {
        const used = model.running(address, now);
        const [usedWei, deals] = await pool.usageOf(address);
        expect([usedWei, Number(deals)]).to.deep.equal([used.wei, used.deals]); // S3
      }
    }
    for (const account of [...this.users, this.thief]) {
      expect((await token.balanceOf(account)) + (await market.creditOf(account))).to.equal(0n);
    }
  }

  async run(): Promise<void> {
    for (let at = 0; at < STEPS; at += 1) {
      const model = this.pick(this.pools);
      if (model === undefined) return;
      const dice = this.below(20);
      if (dice < 7) await this.openNew(model);
      else if (dice < 9) await this.replay(model);
      else if (dice < 10) await this.cross(model);
      else if (dice < 11) await this.steal(model);
      else if (dice < 13) await this.govern(model);
      else if (dice < 15) await this.fund(model);
      else if (dice < 16) await this.reclaim(model);
      else if (dice < 18) await this.touch(model);
      else await this.nextPeriod();
      await this.check();
    }
    await this.end();
  }

  /** Everything ends, all is settled and comes home: what a pool is short of is exactly what its deals' providers earned. */
  async end(): Promise<void> {
    for (let at = 0; at < 16; at += 1) await this.world.next();
    for (const model of this.pools) {
      let earned = 0n;
      for (const { sponsorship } of model.open) {
        await this.world.market.settle(sponsorship.dealId, [0, 1]);
        expect((await this.world.market.deal(sponsorship.dealId)).openSlots).to.equal(0n);
        const events = await this.world.market.queryFilter(this.world.market.filters.SlotSettled(sponsorship.dealId));
        for (const { args } of events) earned += args.paidWei + args.feeWei;
      }
      await this.reclaim(model);
      expect(model.spent - model.reclaimed).to.equal(earned);
    }
    await this.check();
  }
}

describe("Sponsored money (S1-S8)", function () {
  this.timeout(120_000);
  const seen = new Set<string>();

  // Histories in which nothing happened would prove nothing.
  after(() => {
    expect([...seen]).to.include.members(OUTCOMES);
  });

  for (const seed of SEEDS) {
    it(`stays the developers' through ${STEPS} random steps, seed ${seed}`, async () => {
      const world = await deployWorld();
      const providers = [await world.addProvider(0), await world.addProvider(1)];
      const market = await world.market.getAddress();
      const pools: PoolModel[] = [];
      for (const at of [0, 1]) {
        const model = new PoolModel(await deployPool(market, world.signer(14 + at), world.signer(16 + at)));
        [model.userWei, model.userDeals, model.budget] = [5n * 10n ** 17n, 3, 7n * 10n ** 17n];
        const as = model.made.pool.connect(model.made.developer);
        await as.setLimits({ userWeiPerWindow: model.userWei, userDealsPerWindow: model.userDeals, windowSeconds: WINDOW_SECONDS });
        await as.setBudget(model.budget);
        pools.push(model);
      }
      const history = new History(world, providers, pools, seed);
      for (const model of pools) await history.fund(model);
      await history.run();
      for (const outcome of history.seen.keys()) seen.add(outcome);
    });
  }
});
