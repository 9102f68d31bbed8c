/**
 * Every contract that holds tokens, over tokens that keep a fee, fail, block an account or call back. The escrow of bandwidth has its own in
 * bandwidth-escrow-edges.test.ts.
 */
import { RENEW_DEAL_TYPES } from "@ppio/core";
import { expect } from "chai";
import type { BaseContract } from "ethers";
import type { HookToken, ReentrantToken, RevertingToken } from "../../typechain-types/index.ts";
import { checkBooks } from "../support/contracts/books.ts";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { MIN_STAKE_WEI } from "../support/contracts/committee.ts";
import { doorsOf } from "../support/contracts/doors.ts";
import { evictByLie } from "../support/contracts/lies.ts";
import { CHALLENGE_BOND_WEI, FAR, NO_PERMIT, UNBONDING_SECONDS } from "../support/contracts/parameters.ts";
import { HOUSES, lose, paidByAnother, reserved, settled } from "../support/contracts/passages.ts";
import { COLLATERAL, NET, PAY } from "../support/contracts/slots.ts";
import { answerChallenge, errorOf, reportedTerm, type Stage, SUPPLY_WEI, stageOver } from "../support/contracts/stage.ts";
import type { TestProvider } from "../support/contracts/world.ts";

const TOKEN = 10n ** 18n;
const RESERVATION_BOND = COLLATERAL / 100n;

describe("Tokens that call back", function () {
  this.timeout(120_000);
  let token: ReentrantToken;
  let stage: Stage;

  const fixture = async () => {
    const token = await ethers.deployContract("ReentrantToken");
    await token.mint((await ethers.getSigners())[0]?.address ?? "", SUPPLY_WEI);
    return { token, stage: await stageOver(token) };
  };
  beforeEach(async () => {
    ({ token, stage } = await networkHelpers.loadFixture(fixture));
  });

  for (const [name, { contract, passages, unguarded }] of Object.entries(HOUSES)) {
    for (const [passage, prepare] of passages) {
      it(`find every door of ${name} closed during ${passage}`, async () => {
        const house = contract(stage);
        const call = await prepare(stage);
        const address = await house.getAddress();
        const snapshot = await networkHelpers.takeSnapshot();
        for (const door of doorsOf(house)) {
          for (const isBefore of [true, false]) {
            await token.arm(address, door.data, isBefore);
            await call();
            expect([await token.hasCalled(), await token.succeeded()], door.name).to.deep.equal([true, false]);
            expect(errorOf(house, await token.answer()), door.name).to.equal(unguarded[door.name] ?? "ReentrancyGuardReentrantCall");
            await snapshot.restore();
          }
        }
      });
    }
  }

  describe("into another contract", () => {
    let self: string;
    let own: TestProvider;

    /** The token itself owns a provider with a slot, and is owed its pay and a bond. */
    const owed = async () => {
      const { world, providers, deal } = stage;
      self = await token.getAddress();
      await token.mint(self, 1_000n * TOKEN);
      const act = async (to: BaseContract, name: string, values: unknown[]) => token.act(to, to.interface.encodeFunctionData(name, values));
      await act(world.registry, "register", [world.signer(18).address, "http://self", 1n, 1n << 40n, ethers.ZeroHash]);
      own = { providerId: Number(await world.registry.providerCount()), owner: world.signer(17), operator: world.signer(18) };
      await act(token, "approve", [await world.registry.getAddress(), SUPPLY_WEI]);
      await act(world.registry, "depositCollateral", [own.providerId, 100n * TOKEN]);
      const [, p2] = providers;
      const opened = await world.open([own, p2]);
      await world.pass(own, ...providers.slice(0, 3));
      await world.settleAll(opened);
      await answerChallenge({ ...stage, deal: opened }, 0);
      return { act, deals: [deal, opened] };
    };
    const booksBalance = async (deals: Stage["deal"][]): Promise<void> => {
      const accounts = [...stage.world.signers.map(({ address }) => address), self, await stage.pool.pool.getAddress()];
      expect(await token.balanceOf(stage.world.market), "M1").to.equal(await stage.world.bookedWei(deals, accounts));
    };

    it("are paid there too, once", async () => {
      const { act, deals } = await owed();
      const { market, challenges } = stage.world;
      const [payWei, before] = [await market.creditOf(self), await token.balanceOf(self)];
      expect(payWei).to.equal(NET);
      for (const isBefore of [true, false]) {
        const snapshot = await networkHelpers.takeSnapshot();
        await token.arm(market, market.interface.encodeFunctionData("withdraw", [self]), isBefore);
        await act(challenges, "withdraw", [self]);
        expect(await token.succeeded()).to.equal(true);
        expect((await token.balanceOf(self)) - before).to.equal(payWei + CHALLENGE_BOND_WEI);
        await expect(act(market, "withdraw", [self])).to.be.revertedWithCustomError(market, "NothingToWithdraw");
        await expect(act(challenges, "withdraw", [self])).to.be.revertedWithCustomError(challenges, "NothingToWithdraw");
        await booksBalance(deals);
        await snapshot.restore();
      }
    });

    it("cannot ask collateral back that is being paid out", async () => {
      const { act } = await owed();
      const { registry } = stage.world;
      await act(registry, "startUnbonding", [own.providerId, 60n * TOKEN]);
      await networkHelpers.time.increase(UNBONDING_SECONDS);
      for (const isBefore of [true, false]) {
        const snapshot = await networkHelpers.takeSnapshot();
        const again = registry.interface.encodeFunctionData("startUnbonding", [own.providerId, 60n * TOKEN]);
        await token.arm(registry, again, isBefore);
        const before = await token.balanceOf(self);
        await act(registry, "withdrawCollateral", [own.providerId]);
        expect((await token.balanceOf(self)) - before).to.equal(60n * TOKEN);
        expect(errorOf(registry, await token.answer())).to.equal("InsufficientFreeCollateral");
        await snapshot.restore();
      }
    });

    it("gain nothing by settling, withdrawing or reporting again while a slash is on its way from registry to market", async () => {
      const { deals } = await owed();
      const { world, providers, deal } = stage;
      const { market, proofs } = world;
      const [p1, p2, p3] = providers;
      const start = await world.period();
      for (let at = 0; at < 3; at += 1) await world.pass(p2, p3, own);
      await world.next();
      await world.report(p1.providerId, start, deal.dealId, 0);
      const report = (period: number) => [p1.providerId, period, deal.dealId, 0] as const;
      const calls: readonly (readonly [BaseContract, string, boolean])[] = [
        [market, market.interface.encodeFunctionData("settle", [deal.dealId, [0, 1, 2]]), true],
        [market, market.interface.encodeFunctionData("withdraw", [self]), true],
        [proofs, proofs.interface.encodeFunctionData("reportMiss", [...report(start + 1)]), false],
        [proofs, proofs.interface.encodeFunctionData("prove", [p1.providerId, start + 1, []]), false],
      ];
      for (const [target, data, succeeds] of calls) {
        for (const isBefore of [true, false]) {
          const snapshot = await networkHelpers.takeSnapshot();
          await world.openReports();
          await token.arm(target, data, isBefore);
          const before = await world.registry.collateralOf(p1.providerId);
          await proofs.connect(world.reporter).reportMiss(...report(start + 1));
          expect([await token.hasCalled(), await token.succeeded()]).to.deep.equal([true, succeeds]);
          expect(before - (await world.registry.collateralOf(p1.providerId))).to.equal(100n * TOKEN);
          await booksBalance(deals);
          await snapshot.restore();
        }
      }
    });

    it("cannot convict a provider a second time while its collateral is on its way", async () => {
      const { world, providers, deal } = stage;
      const [p1] = providers;
      const fresh = await networkHelpers.takeSnapshot();
      const { data } = await evictByLie(world, p1, deal, 0);
      await fresh.restore();
      for (const isBefore of [true, false]) {
        await token.arm(world.fraud, data, isBefore);
        await evictByLie(world, p1, deal, 0);
        expect([await token.hasCalled(), await token.succeeded()]).to.deep.equal([true, false]);
        expect(errorOf(world.registry, await token.answer())).to.equal("ReentrancyGuardReentrantCall");
        await checkBooks(world, [deal]);
        await fresh.restore();
      }
    });
  });
});

describe("Tokens that begin to keep a fee", () => {
  let token: HookToken;
  let stage: Stage;

  const fixture = async () => {
    const token = await ethers.deployContract("HookToken");
    return { token, stage: await stageOver(token) };
  };
  beforeEach(async () => {
    ({ token, stage } = await networkHelpers.loadFixture(fixture));
  });

  /** What a caller would pay in, and the door that is asked to take it. */
  const doors: readonly (readonly [string, (stage: Stage) => BaseContract, bigint, (stage: Stage) => Promise<() => Promise<unknown>>])[] = [
    ...(["openDeals", "openDealsWithPermit"] as const).map(
      (name) =>
        [
          `StorageMarket.${name}`,
          ({ world }: Stage) => world.market,
          20n * PAY,
          async ({ world, providers }: Stage) => {
            const { terms } = await world.makeTerms(providers.slice(0, 2));
            const market = world.market.connect(world.user);
            return () => (name === "openDeals" ? market.openDeals([terms]) : market.openDealsWithPermit([terms], NO_PERMIT));
          },
        ] as const,
    ),
    [
      "StorageMarket.openDealWithSig",
      ({ world }) => world.market,
      20n * PAY,
      async (stage) => {
        const { terms, escrowWei, signature } = await paidByAnother(stage);
        return () => stage.world.market.connect(stage.world.reporter).openDealWithSig(terms, escrowWei, FAR, signature);
      },
    ],
    ...(["renew", "renewWithPermit", "renewWithSig"] as const).map(
      (name) =>
        [
          `StorageMarket.${name}`,
          ({ world }: Stage) => world.market,
          6n * PAY,
          async ({ world, deal: { dealId } }: Stage) => {
            const newEnd = (await world.market.deal(dealId)).end + 2n;
            const market = world.market.connect(world.user);
            const signature = await world.user.signTypedData(await world.domain(), RENEW_DEAL_TYPES, { dealId, newEnd, deadline: FAR });
            if (name === "renew") return () => market.renew(dealId, newEnd);
            if (name === "renewWithPermit") return () => market.renewWithPermit(dealId, newEnd, NO_PERMIT);
            return () => market.renewWithSig(dealId, newEnd, FAR, signature, NO_PERMIT);
          },
        ] as const,
    ),
    [
      "StorageMarket.donate",
      ({ world }) => world.market,
      1_000n,
      async ({ world }) =>
        () =>
          world.market.connect(world.user).donate(1_000n),
    ],
    ...(["depositCollateral", "depositCollateralWithPermit"] as const).map(
      (name) =>
        [
          `ProviderRegistry.${name}`,
          ({ world }: Stage) => world.registry,
          TOKEN,
          async ({ world, providers: [{ providerId }] }: Stage) => {
            const registry = world.registry.connect(world.user);
            if (name === "depositCollateral") return () => registry.depositCollateral(providerId, TOKEN);
            return () => registry.depositCollateralWithPermit(providerId, TOKEN, 0n, 0, ethers.ZeroHash, ethers.ZeroHash);
          },
        ] as const,
    ),
    [
      "SlotChallenges.open",
      ({ world }) => world.challenges,
      CHALLENGE_BOND_WEI,
      async ({ world, deal }) =>
        () =>
          world.challenges.connect(world.user).open(deal.dealId, 1),
    ],
    [
      "SlotRepair.reserve",
      ({ world }) => world.repair,
      RESERVATION_BOND,
      async ({ world, deal }) =>
        () =>
          world.repair.connect(world.user).reserve(deal.dealId, [0]),
    ],
    [
      "VerifierCommittee.join",
      ({ made }) => made.committee,
      MIN_STAKE_WEI,
      async ({ world, made }) =>
        () =>
          made.committee.connect(world.user).join(MIN_STAKE_WEI),
    ],
    [
      "VerifierCommittee.joinWithSig",
      ({ made }) => made.committee,
      MIN_STAKE_WEI,
      async ({ made }) => {
        const account = await made.newAccount();
        const signature = await made.signJoin(account, MIN_STAKE_WEI, 0n, FAR);
        return () => made.committee.joinWithSig(account, MIN_STAKE_WEI, FAR, signature);
      },
    ],
    [
      "VerifierCommittee.topUp",
      ({ made }) => made.committee,
      TOKEN,
      async ({ world, made }) =>
        () =>
          made.committee.connect(world.user).topUp(made.verifiers[0]?.address ?? "", TOKEN),
    ],
    [
      "SponsorPool.fund",
      ({ pool }) => pool.pool,
      TOKEN,
      async ({ world, pool }) =>
        () =>
          pool.pool.connect(world.user).fund(TOKEN),
    ],
  ];

  for (const [name, contract, amountWei, prepare] of doors) {
    it(`are refused by ${name}, which books nothing`, async () => {
      await lose(stage);
      const call = await prepare(stage);
      await token.setFee(100n);
      await expect(call())
        .to.be.revertedWithCustomError(contract(stage), "UnsupportedToken")
        .withArgs((amountWei * 99n) / 100n, amountWei);
      await checkBooks(stage.world, [stage.deal]);
    });
  }

  it("cost who is paid out the fee, and nobody else", async () => {
    await settled(stage);
    const { world, deal, providers } = stage;
    const [{ owner }] = providers;
    const [creditWei, before] = [await world.market.creditOf(owner), await token.balanceOf(owner)];
    await token.setFee(100n);
    await world.market.connect(owner).withdraw(owner);
    expect((await token.balanceOf(owner)) - before).to.equal((creditWei * 99n) / 100n);
    await checkBooks(world, [deal]);
  });

  it("keep a reservation's bond where it is until the fee is gone", async () => {
    await reserved(stage);
    const { world, deal } = stage;
    await token.setFee(100n);
    const release = () => world.repair.connect(world.reporter).release(deal.dealId, 0);
    await expect(release()).to.be.revertedWithCustomError(world.market, "UnsupportedToken");
    await token.setFee(0n);
    await release();
    await checkBooks(world, [deal]);
  });

  /** The assumption that is left: what the registry sends the market for a slash is believed, as both are ours and so is the token. */
  it("would leave the market short by the fee on slashes of collateral that came in before", async () => {
    await token.setFee(100n);
    await lose(stage);
    const { world, deal } = stage;
    const missingWei =
      (await world.bookedWei(
        [deal],
        world.signers.map(({ address }) => address),
      )) - (await token.balanceOf(world.market));
    expect(missingWei).to.equal(COLLATERAL / 10n / 100n);
  });
});

describe("Tokens that fail", () => {
  let token: RevertingToken;
  let stage: Stage;

  const fixture = async () => {
    const token = await ethers.deployContract("RevertingToken");
    await token.mint((await ethers.getSigners())[0]?.address ?? "", SUPPLY_WEI);
    return { token, stage: await stageOver(token) };
  };
  beforeEach(async () => {
    ({ token, stage } = await networkHelpers.loadFixture(fixture));
  });

  for (const [name, { contract, passages }] of Object.entries(HOUSES)) {
    it(`and say so by false make every passage of ${name} fail whole`, async () => {
      const fresh = await networkHelpers.takeSnapshot();
      for (const [passage, prepare] of passages) {
        const call = await prepare(stage);
        const before = await token.balanceOf(contract(stage));
        await token.setMode(2);
        // Rewards of a committee are paid as far as the fund can: a fund that fails stops nothing.
        if (passage.startsWith("settle")) await call();
        // The fund's double does not look; the committee does.
        else if (passage === "forwardSlashed") await expect(call()).to.be.revertedWithCustomError(stage.made.committee, "UnsupportedToken");
        else await expect(call(), passage).to.be.revertedWithCustomError(stage.world.market, "SafeERC20FailedOperation");
        await token.setMode(0);
        expect(await token.balanceOf(contract(stage)), passage).to.equal(before);
        await fresh.restore();
      }
    });
  }

  it("for one account stop no proof, settlement, slash, eviction, refilling or payment of another", async () => {
    const { world, deal, providers } = stage;
    const [p1, p2, p3, p4] = providers;
    for (const { owner, operator } of [p1, p3]) for (const account of [owner, operator]) await token.setBlocked(account, true);
    await token.setBlocked(world.user, true);
    const asReporter = world.challenges.connect(world.reporter);

    const start = await world.period();
    await settled(stage);
    await answerChallenge(stage, 0);
    for (let at = 0; at < 3; at += 1) await world.pass(p2, p3);
    await world.next();
    for (const period of [start + 1, start + 2]) await world.report(p1.providerId, period, deal.dealId, 0);
    await lose(stage);
    const { offer, refill } = await world.refillOffer(deal, 0, p4);
    await world.market.connect(world.user).refill(deal.dealId, 0, offer, refill);
    await asReporter.open(deal.dealId, 1);
    await evictByLie(world, p3, deal, 2);
    await world.settleAll(deal);
    await world.repair.connect(world.reporter).reserve(deal.dealId, [2]);
    await world.repair.connect(world.reporter).release(deal.dealId, 2);
    await world.market.settleTenure(deal.dealId, 0, p1.providerId);
    await checkBooks(world, [deal]);

    await world.market.connect(p2.owner).withdraw(p2.owner);
    await world.market.connect(world.reporter).withdraw(world.reporter);
    await world.repair.connect(world.reporter).withdraw(world.reporter);
    await checkBooks(world, [deal]);
  });

  it("for one account lose nothing of it: it is paid to another of its choice", async () => {
    const { world, deal, providers } = stage;
    const [p1] = providers;
    const elsewhere = world.signer(14);
    await settled(stage);
    await answerChallenge(stage, 0);
    await world.registry.connect(p1.owner).startUnbonding(p1.providerId, TOKEN);
    await networkHelpers.time.increase(UNBONDING_SECONDS);
    await token.setBlocked(p1.owner, true);
    for (const from of [world.market, world.challenges]) {
      await expect(from.connect(p1.owner).withdraw(p1.owner)).to.be.revertedWithCustomError(token, "Refused");
      await from.connect(p1.owner).withdraw(elsewhere);
    }
    // Collateral goes to the owner only, so the provider goes to another owner first.
    await expect(world.registry.connect(p1.owner).withdrawCollateral(p1.providerId)).to.be.revertedWithCustomError(token, "Refused");
    await world.registry.connect(p1.owner).offerOwnership(p1.providerId, elsewhere);
    await world.registry.connect(elsewhere).acceptOwnership(p1.providerId);
    await world.registry.connect(elsewhere).withdrawCollateral(p1.providerId);
    expect(await token.balanceOf(elsewhere)).to.equal(NET + CHALLENGE_BOND_WEI + TOKEN);
    await checkBooks(world, [deal]);
  });

  it("for one verifier or developer pay the others, and it elsewhere", async () => {
    const { world, made, pool } = stage;
    const term = await reportedTerm(stage);
    const [blocked, other] = made.verifiers;
    if (blocked === undefined || other === undefined) throw new Error("no verifiers");
    for (const account of [blocked.address, pool.developer.address]) await token.setBlocked(account, true);
    await made.committee.settle(term);
    await made.committee.connect(other).withdrawCredit(other);
    await expect(made.committee.connect(blocked).withdrawCredit(blocked)).to.be.revertedWithCustomError(token, "Refused");
    await made.committee.connect(blocked).withdrawCredit(world.signer(14));
    expect(await token.balanceOf(made.committee)).to.equal(await made.bookedWei());
    await expect(pool.pool.connect(pool.developer).withdraw(pool.developer, 5n)).to.be.revertedWithCustomError(token, "Refused");
    await pool.pool.connect(pool.developer).withdraw(world.signer(14), 5n);
  });

  it("for everybody stop slashes and payments, but no proof, settlement, transfer of a slot or end; later all is paid", async () => {
    const { world, deal, providers } = stage;
    const [p1, p2, p3, p4] = providers;
    await token.setMode(1);
    await settled(stage);
    await expect(lose(stage)).to.be.revertedWithCustomError(token, "Refused");
    await expect(evictByLie(world, p2, deal, 1)).to.be.revertedWithCustomError(token, "Refused");
    const { offer, refill } = await world.refillOffer(deal, 0, p4);
    await world.market.connect(p1.operator).handOver(deal.dealId, 0, offer, refill);
    await world.pass(p1, p2, p3);
    await world.market.settleTenure(deal.dealId, 0, p1.providerId);
    await world.market.connect(world.user).terminate(deal.dealId);
    await world.pass(p2, p3, p4);
    await world.settleAll(deal);
    expect((await world.market.deal(deal.dealId)).openSlots).to.equal(0n);
    await token.setMode(0);
    for (const account of [p1.owner, p2.owner, p3.owner, p4.owner, world.user]) await world.market.connect(account).withdraw(account);
    await checkBooks(world, [deal]);
  });
});
