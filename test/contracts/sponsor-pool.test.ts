/** SponsorPool: who pays for what, what a signature of the developer lets through, and what thieves try. */
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { SPONSORED_RENEWAL_TYPES, type SponsoredRenewal, sponsoredRenewalMessage, sponsorshipMessage } from "@ppio/core";
import { expect } from "chai";
import { id, ZeroAddress, ZeroHash } from "ethers";
import type { HookToken, PoolMarket } from "../../typechain-types/index.ts";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { FAR } from "../support/contracts/parameters.ts";
import {
  BUDGET_WEI,
  deployPool,
  hashOfProviders,
  makeSponsored,
  openSponsored,
  type Pool,
  type SponsoredDeal,
  signOpenDeal,
  USER_DEALS_MAX,
  USER_WEI_MAX,
  WINDOW_SECONDS,
} from "../support/contracts/sponsor-world.ts";
import type { TestProvider, World } from "../support/contracts/world.ts";

const FUNDS_WEI = 10n ** 19n;

describe("SponsorPool", () => {
  let world: World;
  let made: Pool;
  let providers: TestProvider[];
  let user: HardhatEthersSigner;
  let thief: HardhatEthersSigner;

  const fixture = async () => {
    const world = await deployWorld();
    const providers = [await world.addProvider(0), await world.addProvider(1)];
    const made = await deployPool(await world.market.getAddress(), world.signer(15), world.signer(16));
    await world.token.connect(world.signer(0)).approve(made.pool, FUNDS_WEI);
    await made.pool.connect(world.signer(0)).fund(FUNDS_WEI);
    return { world, made, providers };
  };
  beforeEach(async () => {
    ({ world, made, providers } = await networkHelpers.loadFixture(fixture));
    user = world.user;
    thief = world.signer(17);
  });
  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(made.pool, error);
  const open = (deal: SponsoredDeal, submitter = thief) => openSponsored(made.pool.connect(submitter), deal);
  const balance = () => world.token.balanceOf(made.pool);
  const withSigned = (signed: object, more: object = {}) => makeSponsored(world, made, providers, { user, signed, ...more });

  describe("opening", () => {
    it("S1, S5, S7: pays a user's deal to the wei, whoever submits it, and leaves no allowance", async () => {
      const deal = await withSigned({});
      await expect(open(deal)).to.emit(made.pool, "DealSponsored").withArgs(deal.sponsorship.dealId, user.address, deal.escrowWei);
      expect(await balance()).to.equal(FUNDS_WEI - deal.escrowWei);
      expect(await world.token.allowance(made.pool, world.market)).to.equal(0n);
      const { owner, payer } = await world.market.deal(deal.sponsorship.dealId);
      expect([owner, payer]).to.deep.equal([user.address, await made.pool.getAddress()]);
      expect(await made.pool.budgetWei()).to.equal(BUDGET_WEI - deal.escrowWei);
      const [usedWei, deals] = await made.pool.usageOf(user);
      expect([usedWei, deals]).to.deep.equal([deal.escrowWei, 1n]);
    });

    it("S2: opens a deal once", async () => {
      const deal = await withSigned({});
      await open(deal);
      await refused(open(deal), "WrongSponsorshipStatus");
    });

    it("S2: refuses what is expired, cancelled, signed for another chain, another pool, by a rotated key, or not at all", async () => {
      const now = await networkHelpers.time.latest();
      await refused(open(await withSigned({ deadline: now })), "AuthorizationExpired");
      const elsewhere = { ...made.domain, chainId: 1n };
      await refused(open(await withSigned({}, { domain: elsewhere })), "InvalidSponsorSignature");
      const otherPool = { ...made.domain, pool: thief.address };
      await refused(open(await withSigned({}, { domain: otherPool })), "InvalidSponsorSignature");
      for (const signer of [thief, user, made.developer]) await refused(open(await withSigned({}, { signer })), "InvalidSponsorSignature");
      const deal = await withSigned({});
      await refused(open({ ...deal, sponsorship: { ...deal.sponsorship, escrowMaxWei: 2n ** 255n } }), "InvalidSponsorSignature");
      await made.pool.connect(made.developer).setHotKey(thief);
      await refused(open(deal), "InvalidSponsorSignature");
      await made.pool.connect(made.developer).setHotKey(ZeroAddress);
      await refused(open(await withSigned({}, { signer: thief })), "InvalidSponsorSignature");
      await refused(open({ ...deal, signature: "0x" }), "InvalidSponsorSignature");
      await made.pool.connect(made.developer).setHotKey(made.hotKey);
      await made.pool.connect(made.hotKey).cancel(deal.sponsorship.dealId);
      await refused(open(deal), "WrongSponsorshipStatus");
      expect(await balance()).to.equal(FUNDS_WEI);
    });

    it("S1: refuses a deal other than the signed one, another's deal, and one that somebody else pays", async () => {
      const [deal, other] = [await withSigned({}), await withSigned({})];
      await refused(open({ ...other, sponsorship: deal.sponsorship, signature: deal.signature }), "WrongDeal");
      await refused(open(await withSigned({ user: thief.address })), "WrongUser");
      const unpaid = await withSigned({});
      unpaid.terms.payer = thief.address;
      await refused(open(unpaid), "WrongPayer");
    });

    it("S5: holds a user with providers of its own to the signed price, size, term, sum and providers", async () => {
      await refused(open(await withSigned({ payPerPeriodMaxWei: 10n ** 15n - 1n })), "PayTooHigh");
      await refused(open(await withSigned({ leafCountMin: 1_000 })), "SlotTooSmall");
      await refused(open(await withSigned({ periodsMax: 9 })), "TooManyPeriods");
      await refused(open(await withSigned({ escrowMaxWei: 1n })), "EscrowTooHigh");
      await refused(open(await withSigned({ providersHash: id("others") })), "WrongProviders");
      const named = await withSigned({});
      const sponsorship = { ...named.sponsorship, providersHash: hashOfProviders(named.terms) };
      const signature = await sponsorshipMessage.sign(made.domain, sponsorship, made.hotKey);
      expect(await made.pool.sponsorshipDigest(sponsorship)).to.equal(sponsorshipMessage.digest(made.domain, sponsorship));
      await open({ ...named, sponsorship, signature });
    });

    it("S1: pays nothing when the market refuses: no user's signature, no provider's", async () => {
      const deal = await withSigned({});
      const forged = await signOpenDeal(world, deal.terms, thief);
      await expect(open({ ...deal, ownerSignature: forged })).to.be.revertedWithCustomError(world.market, "InvalidOwnerSignature");
      const [offer] = deal.terms.offers;
      if (offer !== undefined) offer.r = id("forged");
      await expect(open(deal)).to.be.revertedWithCustomError(world.market, "InvalidOfferSignature");
      expect(await balance()).to.equal(FUNDS_WEI);
      expect(await made.pool.budgetWei()).to.equal(BUDGET_WEI);
    });

    it("lets a developer's smart account sign (ERC-1271)", async () => {
      const wallet = await ethers.deployContract("ContractWallet", [made.hotKey]);
      await made.pool.connect(made.developer).setHotKey(wallet);
      await open(await withSigned({}));
      await refused(open(await withSigned({}, { signer: thief })), "InvalidSponsorSignature");
    });
  });

  describe("quotas", () => {
    const sized = (payPerPeriodWei: bigint) => withSigned({}, { payPerPeriodWei, periods: 10 });

    it("S3: caps a user's money per window, and starts afresh in the next", async () => {
      await open(await sized(USER_WEI_MAX / 20n));
      await refused(open(await sized(10n ** 9n)), "UserQuotaExceeded");
      await networkHelpers.time.increase(WINDOW_SECONDS - 10n);
      await refused(open(await sized(10n ** 9n)), "UserQuotaExceeded");
      await networkHelpers.time.increase(10n);
      expect(await made.pool.usageOf(user)).to.deep.equal([0n, 0n, 0n]);
      await open(await sized(10n ** 9n));
    });

    it("S3: caps a user's deals per window, of one user as of another", async () => {
      for (let at = 0; at < USER_DEALS_MAX; at += 1) await open(await sized(10n ** 9n));
      await refused(open(await sized(10n ** 9n)), "UserDealsExceeded");
      await open(await makeSponsored(world, made, providers, { user: thief, payPerPeriodWei: 10n ** 9n }));
    });

    it("S4: spends the budget and no more, however many users there are", async () => {
      await made.pool.connect(made.developer).setBudget(USER_WEI_MAX + 10n ** 10n);
      await open(await sized(USER_WEI_MAX / 20n));
      const other = await makeSponsored(world, made, providers, { user: thief, payPerPeriodWei: 10n ** 9n, periods: 10 });
      await refused(open(other), "BudgetExceeded");
      await made.pool.connect(made.developer).setBudget(USER_WEI_MAX);
      await open(other);
    });

    it("sponsors nothing before limits, hot key and budget are set", async () => {
      await made.pools.createPool(thief);
      const empty = await ethers.getContractAt("SponsorPool", await made.pools.poolOf(thief));
      const bare = { ...made, pool: empty, domain: { ...made.domain, pool: await empty.getAddress() } };
      const deal = () => makeSponsored(world, bare, providers, { user });
      await refused(openSponsored(empty, await deal()), "InvalidSponsorSignature");
      await empty.connect(thief).setHotKey(made.hotKey);
      await refused(openSponsored(empty, await deal()), "UserQuotaExceeded");
      await empty.connect(thief).setLimits({ userWeiPerWindow: FUNDS_WEI, userDealsPerWindow: 1, windowSeconds: 1 });
      await refused(openSponsored(empty, await deal()), "BudgetExceeded");
      await empty.connect(thief).setBudget(FUNDS_WEI);
      await expect(openSponsored(empty, await deal())).to.be.revertedWithCustomError(world.token, "ERC20InsufficientBalance");
    });
  });

  describe("money back", () => {
    it("S6: gives a user that ends its deal early nothing: the refund is the pool's, quota and budget stay used", async () => {
      const deal = await withSigned({});
      await open(deal);
      const { dealId } = deal.sponsorship;
      await world.market.connect(user).terminate(dealId);
      const refundWei = await world.market.creditOf(made.pool);
      expect(refundWei).to.equal((deal.escrowWei / 10n) * 9n);
      expect(await world.market.creditOf(user)).to.equal(0n);
      await expect(made.pool.connect(thief).reclaim()).to.emit(made.pool, "Reclaimed").withArgs(refundWei);
      expect(await balance()).to.equal(FUNDS_WEI - deal.escrowWei + refundWei);
      const [usedWei, deals] = await made.pool.usageOf(user);
      expect([usedWei, deals]).to.deep.equal([deal.escrowWei, 1n]);
      expect(await made.pool.budgetWei()).to.equal(BUDGET_WEI - deal.escrowWei);
      await refused(open(deal), "WrongSponsorshipStatus");
      await refused(made.pool.reclaim(), "NothingToReclaim");
    });

    it("S6: takes gifts without raising any limit", async () => {
      await world.fund(thief, 5n);
      await world.token.connect(thief).transfer(made.pool, 5n);
      expect(await made.pool.budgetWei()).to.equal(BUDGET_WEI);
      expect(await balance()).to.equal(FUNDS_WEI + 5n);
    });

    it("S1: lets only the developer withdraw, only what is there, at once", async () => {
      for (const caller of [thief, user, made.hotKey]) {
        await refused(made.pool.connect(caller).withdraw(caller, 1n), "OwnableUnauthorizedAccount");
      }
      const pool = made.pool.connect(made.developer);
      await refused(pool.withdraw(ZeroAddress, 1n), "ZeroAddress");
      await expect(pool.withdraw(thief, FUNDS_WEI + 1n)).to.be.revertedWithCustomError(world.token, "ERC20InsufficientBalance");
      await expect(pool.withdraw(thief, FUNDS_WEI)).to.emit(made.pool, "Withdrawn").withArgs(thief.address, FUNDS_WEI);
      expect(await world.token.balanceOf(thief)).to.equal(FUNDS_WEI);
      expect(await made.pool.totals()).to.deep.equal([0n, 0n, FUNDS_WEI]);
    });

    it("S1: nobody takes the pool's credit out of the market in its name", async () => {
      await open(await withSigned({}));
      const types = { Withdraw: [...["address account", "address to", "uint256 nonce", "uint64 deadline"]].map(field) };
      const value = { account: await made.pool.getAddress(), to: made.developer.address, nonce: 0, deadline: FAR };
      const signature = await made.developer.signTypedData(await world.domain(), types, value);
      const call = world.market.withdrawWithSig(made.pool, made.developer, FAR, signature);
      await expect(call).to.be.revertedWithCustomError(world.market, "InvalidOwnerSignature");
    });
  });

  describe("settings", () => {
    it("S4: are the developer's alone", async () => {
      const limits = { userWeiPerWindow: 1n, userDealsPerWindow: 1, windowSeconds: 1 };
      for (const caller of [thief, user, made.hotKey]) {
        const pool = made.pool.connect(caller);
        await refused(pool.setBudget(2n ** 255n), "OwnableUnauthorizedAccount");
        await refused(pool.setHotKey(caller), "OwnableUnauthorizedAccount");
        await refused(pool.setLimits(limits), "OwnableUnauthorizedAccount");
        await refused(pool.transferOwnership(caller), "OwnableUnauthorizedAccount");
        await refused(pool.renounceOwnership(), "OwnableUnauthorizedAccount");
      }
      const pool = made.pool.connect(made.developer);
      await refused(pool.setLimits({ ...limits, windowSeconds: 0 }), "InvalidLimits");
      await refused(pool.renounceOwnership(), "CannotRenounce");
      await pool.setLimits(limits);
      expect(await made.pool.limits()).to.deep.equal([1n, 1n, 1n]);
    });

    it("change hands in two steps", async () => {
      await made.pool.connect(made.developer).transferOwnership(thief);
      await refused(made.pool.connect(thief).setBudget(1n), "OwnableUnauthorizedAccount");
      await made.pool.connect(thief).acceptOwnership();
      await refused(made.pool.connect(made.developer).withdraw(user, 1n), "OwnableUnauthorizedAccount");
      await made.pool.connect(thief).withdraw(thief, 1n);
    });

    it("S2: only developer and hot key cancel, only what is unused", async () => {
      const deal = await withSigned({});
      const { dealId } = deal.sponsorship;
      for (const caller of [thief, user]) await refused(made.pool.connect(caller).cancel(dealId), "NotAuthorized");
      await open(deal);
      await refused(made.pool.connect(made.developer).cancel(dealId), "WrongSponsorshipStatus");
      await made.pool.connect(made.developer).cancel(id("unused"));
      await refused(made.pool.connect(made.hotKey).cancel(id("unused")), "WrongSponsorshipStatus");
      expect(await made.pool.sponsorshipOf(id("unused"))).to.deep.equal([2n, ZeroAddress, 0n]);
      expect(await made.pool.sponsorshipOf(dealId)).to.deep.equal([1n, user.address, 0n]);
    });
  });

  describe("SponsorPools", () => {
    it("F1, F2: makes each developer one pool, at a known address, and its own", async () => {
      const { pools } = made;
      const before = await pools.poolOf(thief);
      expect(await pools.isPool(before)).to.equal(false);
      await expect(pools.connect(user).createPool(thief)).to.emit(pools, "PoolCreated").withArgs(thief.address, before);
      const pool = await ethers.getContractAt("SponsorPool", before);
      expect([await pool.owner(), await pool.market(), await pool.token()]).to.deep.equal([
        thief.address,
        await world.market.getAddress(),
        await world.token.getAddress(),
      ]);
      expect([await pool.hotKey(), await pools.isPool(pool), await pools.market()]).to.deep.equal([ZeroAddress, true, await pool.market()]);
      await expect(pools.createPool(thief)).to.be.revertedWithCustomError(pools, "PoolExists");
    });
  });
});

describe("SponsorPool on a market and a token that misbehave", () => {
  let world: World;
  let made: Pool;
  let token: HookToken;
  let market: PoolMarket;
  let providers: TestProvider[];
  let deal: SponsoredDeal;
  let dealId: string;
  const RENEWAL_WEI = 10n ** 16n;

  const fixture = async () => {
    const world = await deployWorld();
    const token = await ethers.deployContract("HookToken");
    const market = await ethers.deployContract("PoolMarket", [token]);
    const made = await deployPool(await market.getAddress(), world.signer(15), world.signer(16));
    await token.transfer(made.pool, FUNDS_WEI);
    await market.setRenewal(RENEWAL_WEI);
    const providers = [await world.addProvider(0), await world.addProvider(1)];
    const deal = await makeSponsored(world, made, providers, { user: world.user });
    return { world, token, market, made, deal, providers };
  };
  beforeEach(async () => {
    ({ world, token, market, made, deal, providers } = await networkHelpers.loadFixture(fixture));
    dealId = deal.sponsorship.dealId;
  });
  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(made.pool, error);
  const open = () => openSponsored(made.pool, deal);
  const renewal = (change: Partial<SponsoredRenewal> = {}): SponsoredRenewal => ({
    dealId,
    newEnd: 50,
    escrowMaxWei: RENEWAL_WEI,
    deadline: Number(FAR),
    ...change,
  });
  const renew = async (value: SponsoredRenewal, signer = made.hotKey, domain = made.domain) => {
    const signature = await sponsoredRenewalMessage.sign(domain, value, signer);
    return made.pool.renewDeal(value.dealId, value.newEnd, value.escrowMaxWei, value.deadline, signature);
  };

  describe("renewal", () => {
    it("S2: refuses deals it did not open, expired, foreign and changed signatures", async () => {
      await refused(renew(renewal()), "WrongSponsorshipStatus");
      await open();
      await refused(renew(renewal({ dealId: id("another") })), "WrongSponsorshipStatus");
      await refused(renew(renewal({ deadline: await networkHelpers.time.latest() })), "AuthorizationExpired");
      await refused(renew(renewal(), world.user), "InvalidSponsorSignature");
      await refused(renew(renewal(), made.hotKey, { ...made.domain, chainId: 1n }), "InvalidSponsorSignature");
      await refused(renew(renewal(), made.hotKey, { ...made.domain, pool: world.user.address }), "InvalidSponsorSignature");
      const signature = await sponsoredRenewalMessage.sign(made.domain, renewal(), made.hotKey);
      await refused(made.pool.renewDeal(dealId, 51, RENEWAL_WEI, FAR, signature), "InvalidSponsorSignature");
      await refused(made.pool.renewDeal(dealId, 50, FUNDS_WEI, FAR, signature), "InvalidSponsorSignature");
    });

    it("S2, S5, S7: prolongs once per signature, charges what the market took, leaves no allowance", async () => {
      await open();
      await expect(renew(renewal({ escrowMaxWei: 2n * RENEWAL_WEI })))
        .to.emit(made.pool, "DealRenewed")
        .withArgs(dealId, world.user.address, 50, RENEWAL_WEI);
      const [usedWei, deals] = await made.pool.usageOf(world.user);
      expect([usedWei, deals]).to.deep.equal([deal.escrowWei + RENEWAL_WEI, 1n]);
      expect(await made.pool.budgetWei()).to.equal(BUDGET_WEI - deal.escrowWei - RENEWAL_WEI);
      expect(await token.balanceOf(made.pool)).to.equal(FUNDS_WEI - deal.escrowWei - RENEWAL_WEI);
      expect(await token.allowance(made.pool, market)).to.equal(0n);
      await refused(renew(renewal({ escrowMaxWei: 2n * RENEWAL_WEI })), "EndNotLater");
      await refused(renew(renewal({ newEnd: 49 })), "EndNotLater");
      await renew(renewal({ newEnd: 51 }));
      expect((await made.pool.sponsorshipOf(dealId)).renewedTo).to.equal(51n);
    });

    it("S3, S4: counts against the user's money and the budget, not against its deals", async () => {
      await open();
      await market.setRenewal(USER_WEI_MAX);
      await refused(renew(renewal({ escrowMaxWei: USER_WEI_MAX })), "UserQuotaExceeded");
      await market.setRenewal(RENEWAL_WEI);
      await made.pool.connect(made.developer).setBudget(RENEWAL_WEI - 1n);
      await refused(renew(renewal()), "BudgetExceeded");
      await made.pool.connect(made.developer).setBudget(RENEWAL_WEI);
      await made.pool
        .connect(made.developer)
        .setLimits({ userWeiPerWindow: USER_WEI_MAX, userDealsPerWindow: 0, windowSeconds: WINDOW_SECONDS });
      await renew(renewal());
    });

    it("S5: refuses a price above what was signed, and a market that takes more than it says", async () => {
      await open();
      await expect(renew(renewal({ escrowMaxWei: RENEWAL_WEI - 1n }))).to.be.revertedWithCustomError(token, "ERC20InsufficientAllowance");
      await market.setExtra(1n);
      await refused(renew(renewal({ escrowMaxWei: 2n * RENEWAL_WEI })), "WrongBalance");
    });
  });

  it("S5: refuses a market that opens another deal or takes more", async () => {
    await market.setOtherDealId(ZeroHash.replace(/0$/, "1"));
    await refused(open(), "WrongDeal");
    await market.setOtherDealId(ZeroHash);
    await market.setExtra(1n);
    await expect(open()).to.be.revertedWithCustomError(token, "ERC20InsufficientAllowance");
  });

  it("S8: refuses a token that takes a fee on the way in, and books nothing", async () => {
    await token.setFee(100n);
    await token.approve(made.pool, 1_000n);
    await refused(made.pool.fund(1_000n), "UnsupportedToken");
    await token.transfer(market, 10_000n);
    await market.credit(made.pool, 1_000n);
    await refused(made.pool.reclaim(), "UnsupportedToken");
    expect((await made.pool.totals()).reclaimedWei).to.equal(0n);
  });

  it("books nothing when the token fails", async () => {
    await token.setFailing(true);
    await expect(open()).to.be.revertedWithCustomError(token, "TransferFailed");
    await expect(made.pool.connect(made.developer).withdraw(world.user, 1n)).to.be.revertedWithCustomError(token, "TransferFailed");
    expect(await made.pool.totals()).to.deep.equal([0n, 0n, 0n]);
    expect(await made.pool.budgetWei()).to.equal(BUDGET_WEI);
  });

  it("cannot be re-entered while tokens move", async () => {
    const { pool } = made;
    await market.credit(pool, 1n);
    await token.transfer(market, 1n);
    const calls = [
      pool.interface.encodeFunctionData("reclaim"),
      pool.interface.encodeFunctionData("fund", [0n]),
      pool.interface.encodeFunctionData("openDeal", [deal.terms, 0n, 0n, "0x", deal.sponsorship, deal.signature]),
      pool.interface.encodeFunctionData("renewDeal", [dealId, 50, 1n, FAR, "0x"]),
      pool.interface.encodeFunctionData("withdraw", [world.user.address, 1n]),
    ];
    for (const data of calls) {
      await token.setHook(pool, data);
      for (const call of [() => open(), () => pool.reclaim(), () => pool.connect(made.developer).withdraw(world.user, 1n)]) {
        await expect(call()).to.be.revertedWithCustomError(pool, "ReentrancyGuardReentrantCall");
      }
    }
    await token.setHook(ZeroAddress, "0x");
    await open();
  });

  it("worst case: the pool's own part of a deal of 128 slots stays below a million gas", async () => {
    const many = Array.from({ length: 128 }, (_, at) => providers[at % 2]).filter((provider) => provider !== undefined);
    const largest = await makeSponsored(world, made, many, { user: world.user, periods: 1 });
    const sponsorship = { ...largest.sponsorship, providersHash: hashOfProviders(largest.terms) };
    const signature = await sponsorshipMessage.sign(made.domain, sponsorship, made.hotKey);
    const gasUsed = await made.pool.openDeal.estimateGas(largest.terms, largest.escrowWei, FAR, "0x", sponsorship, signature);
    const { data } = await made.pool.openDeal.populateTransaction(largest.terms, largest.escrowWei, FAR, "0x", sponsorship, signature);
    const calldata = Buffer.from(data.slice(2), "hex").reduce((sum, byte) => sum + (byte === 0 ? 4 : 16), 0);
    expect(gasUsed - BigInt(calldata)).to.be.lessThan(1_000_000n);
  });

  it("Solidity and TypeScript agree on what is signed", async () => {
    expect(await made.pool.domainSeparator()).to.equal(
      ethers.TypedDataEncoder.hashDomain({
        name: "PPIO SponsorPool",
        version: "1",
        chainId: made.domain.chainId,
        verifyingContract: made.domain.pool,
      }),
    );
    expect(await made.pool.sponsorshipDigest(deal.sponsorship)).to.equal(sponsorshipMessage.digest(made.domain, deal.sponsorship));
    expect(SPONSORED_RENEWAL_TYPES).to.deep.equal({
      SponsoredRenewal: ["bytes32 dealId", "uint32 newEnd", "uint256 escrowMaxWei", "uint64 deadline"].map(field),
    });
  });
});

function field(text: string): { type: string; name: string } {
  const [type = "", name = ""] = text.split(" ");
  return { type, name };
}
