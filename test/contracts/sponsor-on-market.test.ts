/** SponsorPool on the real market: renewals, refunds, and what a user gets out of a pool by storing with itself. No double stands between. */
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { sponsoredRenewalMessage } from "@ppio/core";
import { expect } from "chai";
import { networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { FAR } from "../support/contracts/parameters.ts";
import {
  BUDGET_WEI,
  deployPool,
  makeSponsored,
  openSponsored,
  type Pool,
  USER_DEALS_MAX,
  USER_WEI_MAX,
  WINDOW_SECONDS,
} from "../support/contracts/sponsor-world.ts";
import type { OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const FUNDS_WEI = 10n ** 19n;
const PAY = 10n ** 15n;
const NET = PAY - (PAY * 2n) / 100n;
const PERIODS = 4;

describe("SponsorPool on the real market", () => {
  let world: World;
  let made: Pool;
  let p1: TestProvider;
  let p2: TestProvider;
  let user: HardhatEthersSigner;
  let start: number;
  let deals: OpenedDeal[];

  const fixture = async () => {
    const world = await deployWorld();
    const providers = [await world.addProvider(0), await world.addProvider(1)] as const;
    const made = await deployPool(await world.market.getAddress(), world.signer(15), world.signer(16));
    await world.token.connect(world.signer(0)).approve(made.pool, FUNDS_WEI);
    await made.pool.connect(world.signer(0)).fund(FUNDS_WEI);
    return { world, made, providers };
  };
  beforeEach(async () => {
    const loaded = await networkHelpers.loadFixture(fixture);
    ({ world, made } = loaded);
    [p1, p2] = loaded.providers;
    user = world.user;
    start = await world.period();
    deals = [];
  });
  afterEach("S7, S8, M1: the books are exact", async () => {
    const [spentWei, reclaimedWei, withdrawnWei] = await made.pool.totals();
    expect(await balance()).to.equal(FUNDS_WEI + reclaimedWei - spentWei - withdrawnWei);
    expect(await world.token.allowance(made.pool, world.market)).to.equal(0n);
    const accounts = [...world.signers.slice(0, 40).map(({ address }) => address), await made.pool.getAddress()];
    expect(await world.token.balanceOf(world.market)).to.equal(await world.bookedWei(deals, accounts));
  });

  const balance = () => world.token.balanceOf(made.pool);
  const usedWei = async () => (await made.pool.usageOf(user)).usedWei;
  /** Two slots over [start, start + 4) at the pool's expense, renewable to start + 10. */
  const open = async (): Promise<OpenedDeal> => {
    const deal = await makeSponsored(world, made, [p1, p2], { user, periods: PERIODS, renewUntil: (await world.period()) + 10 });
    const receipt = await (await openSponsored(made.pool, deal)).wait();
    if (receipt === null) throw new Error("not mined");
    const trees = [0, 1].map((at) => world.trees.get(`${deal.sponsorship.dealId}/${at}`) ?? expect.fail("no tree"));
    const opened = { dealId: deal.sponsorship.dealId, terms: deal.terms, trees, receipt };
    deals.push(opened);
    return opened;
  };
  const renew = async ({ dealId }: OpenedDeal, newEnd: number, escrowMaxWei = USER_WEI_MAX) => {
    const value = { dealId, newEnd, escrowMaxWei, deadline: Number(FAR) };
    const signature = await sponsoredRenewalMessage.sign(made.domain, value, made.hotKey);
    return made.pool.connect(world.reporter).renewDeal(dealId, newEnd, escrowMaxWei, FAR, signature);
  };
  const endOf = async ({ dealId }: OpenedDeal) => Number((await world.market.deal(dealId)).end);

  it("prolongs a running deal at its price, and providers are paid to its new end", async () => {
    const deal = await open();
    const before = await balance();
    await expect(renew(deal, start + 6))
      .to.emit(made.pool, "DealRenewed")
      .withArgs(deal.dealId, user.address, start + 6, 4n * PAY);
    expect(before - (await balance())).to.equal(4n * PAY);
    expect(await endOf(deal)).to.equal(start + 6);
    expect(await usedWei()).to.equal(BigInt(2 * PERIODS) * PAY + 4n * PAY);
    for (let period = start; period < start + 8; period += 1) await world.pass(...(period < start + 6 ? [p1, p2] : []));
    await world.settleAll(deal);
    for (const { owner } of [p1, p2]) expect(await world.market.creditOf(owner)).to.equal(6n * NET);
    expect(await world.market.creditOf(made.pool)).to.equal(0n);
  });

  it("S2, S5: is charged nothing for a renewal that the market refuses, and none twice", async () => {
    const deal = await open();
    const before = await balance();
    const refused = async (newEnd: number, error: string) => expect(renew(deal, newEnd)).to.be.revertedWithCustomError(world.market, error);
    await refused(start + 11, "InvalidTerms");
    await refused(start + PERIODS, "InvalidTerms");
    await expect(renew(deal, start + 6, 4n * PAY - 1n)).to.be.revertedWithCustomError(world.token, "ERC20InsufficientAllowance");
    expect(await balance()).to.equal(before);
    await renew(deal, start + 6, 4n * PAY);
    await expect(renew(deal, start + 6, 4n * PAY)).to.be.revertedWithCustomError(made.pool, "EndNotLater");
    for (let period = start; period < start + 6; period += 1) await world.pass(p1, p2);
    await refused(start + 8, "TooLate");
  });

  it("S6: takes back what an early end and missed periods leave, without raising quota or budget", async () => {
    const deal = await open();
    await world.pass(p1, p2);
    await world.pass(p1);
    const [used, budget] = [await usedWei(), await made.pool.budgetWei()];
    await world.market.connect(user).terminate(deal.dealId);
    // The running period is paid when it is proven, and misses are refunded once nobody can report them any more.
    await world.pass(p1, p2);
    await world.report(p2.providerId, start + 1, deal.dealId, 1);
    await world.settleAll(deal);
    await world.pass();
    await world.settleAll(deal);

    const refundWei = BigInt(2 * PERIODS) * PAY - 5n * PAY;
    expect(await world.market.creditOf(made.pool)).to.equal(refundWei);
    expect(await world.market.creditOf(user)).to.equal(0n);
    await expect(made.pool.connect(world.reporter).reclaim()).to.emit(made.pool, "Reclaimed").withArgs(refundWei);
    expect([await usedWei(), await made.pool.budgetWei()]).to.deep.equal([used, budget]);
  });

  it("lets nobody take the pool's refunds but the pool", async () => {
    const deal = await open();
    await world.market.connect(user).terminate(deal.dealId);
    for (const thief of [user, world.reporter]) {
      await expect(world.market.connect(thief).withdraw(thief)).to.be.revertedWithCustomError(world.market, "NothingToWithdraw");
    }
    await expect(world.market.connect(user).renew(deal.dealId, start + 6)).to.be.revertedWithCustomError(world.market, "NotAuthorized");
    expect(await world.market.creditOf(made.pool)).to.equal(BigInt(2 * (PERIODS - 1)) * PAY);
  });

  it("S3, S4: loses to a user who runs all providers itself no more than its quota, and only as pay for proven slots", async () => {
    const before = await balance();
    for (let at = 0; at < USER_DEALS_MAX; at += 1) {
      const deal = await open();
      await world.market.connect(user).terminate(deal.dealId);
    }
    await expect(open()).to.be.revertedWithCustomError(made.pool, "UserDealsExceeded");
    expect(before - (await balance())).to.equal(await usedWei());
    expect(await usedWei()).to.be.lessThanOrEqual(USER_WEI_MAX);
    await world.pass(p1, p2);
    for (const deal of deals) await world.settleAll(deal);
    // What stays with the user's providers is one proven period of each deal, less the fee; all else can be reclaimed.
    const earned = (await world.market.creditOf(p1.owner)) + (await world.market.creditOf(p2.owner));
    expect(earned).to.equal(BigInt(2 * USER_DEALS_MAX) * NET);
    await made.pool.reclaim();
    expect(before - (await balance())).to.equal(BigInt(2 * USER_DEALS_MAX) * PAY);
    // The next window gives the same again, and no more than the budget in all.
    await networkHelpers.time.increase(WINDOW_SECONDS);
    await open();
    expect(BUDGET_WEI - (await made.pool.budgetWei())).to.equal((await made.pool.totals()).spentWei);
  });
});
