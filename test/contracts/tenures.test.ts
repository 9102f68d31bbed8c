/** How a provider leaves a slot before its deal ends: declared lost, named lost in a proof, handed over; and what is settled after it. */
import { expect } from "chai";
import { evictByLie } from "../support/contracts/lies.ts";
import { COLLATERAL, deploySlots, NET, PAY, Slots } from "../support/contracts/slots.ts";
import type { OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

describe("Tenures that end before their deal", () => {
  let slots: Slots;
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;
  let p4: TestProvider;
  let deal: OpenedDeal;
  let start: number;

  const fixture = () => deploySlots(3);
  beforeEach(async () => {
    slots = await Slots.load(fixture);
    ({ world, deal, start } = slots);
    [p1, p2, p3, p4] = slots.providers;
  });
  afterEach(() => slots.checkBooks());

  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.market, error);
  const settleTenure = (provider: TestProvider, slotIndex = 0) => world.market.settleTenure(deal.dealId, slotIndex, provider.providerId);
  const lockedOf = async ({ providerId }: TestProvider) => (await world.registry.getProvider(providerId)).lockedWei;
  const creditOf = (account: TestProvider["owner"]) => world.market.creditOf(account);

  describe("declared lost", () => {
    it("is refused from others, of a slot that nobody holds, of an evicted provider and after the end", async () => {
      for (const other of [world.user, world.reporter, p2.operator]) {
        await refused(world.market.connect(other).declareLost(deal.dealId, 0), "NotAuthorized");
      }
      await slots.lose(p1, 0);
      await refused(slots.lose(p1, 0), "WrongSlotStatus");
      await world.pass(p2, p3);
      await evictByLie(world, p2, deal, 1);
      await refused(slots.lose(p2, 1), "ProviderIsEvicted");
      await world.market.connect(world.user).terminate(deal.dealId);
      await world.pass(p3);
      await refused(slots.lose(p3, 2), "TooLate");
    });

    it("costs a tenth of the slot's collateral, to fund and owner, and pays through the period before", async () => {
      await world.pass(p1, p2, p3);
      const collateral = await world.registry.collateralOf(p1.providerId);
      const slashed = COLLATERAL / 10n;
      const [fund, owners] = [(slashed * 4n) / 10n, (slashed * 6n) / 10n];
      await expect(slots.lose(p1, 0))
        .to.emit(world.market, "SlotForfeited")
        .withArgs(deal.dealId, 0, p1.providerId, 1_000, slashed, fund, 0, owners);
      expect(await world.registry.collateralOf(p1.providerId)).to.equal(collateral - slashed);
      expect(await world.market.repairFundWei()).to.equal(fund);
      expect(await creditOf(world.user)).to.equal(owners);
      const slot = await world.market.slot(deal.dealId, 0);
      expect([slot.status, slot.fromPeriod, slot.settledTo]).to.deep.equal([2n, BigInt(start + 1), BigInt(start + 1)]);
      expect((await world.market.deal(deal.dealId)).vacantSlots).to.equal(1n);

      expect(await lockedOf(p1)).to.equal(COLLATERAL);
      await settleTenure(p1);
      expect(await creditOf(p1.owner)).to.equal(NET);
      expect(await lockedOf(p1)).to.equal(0n);
      await refused(settleTenure(p1), "NoSuchTenure");
      await refused(settleTenure(p2, 1), "NoSuchTenure");
    });

    it("is for the owner's key too, and costs half while a challenge is open, whose bond goes back", async () => {
      const bond = await world.challenges.bondWei();
      await world.token.connect(world.signer(0)).transfer(world.reporter, bond);
      await world.token.connect(world.reporter).approve(world.challenges, bond);
      await world.challenges.connect(world.reporter).open(deal.dealId, 0);
      const collateral = await world.registry.collateralOf(p1.providerId);
      await world.market.connect(p1.owner).declareLost(deal.dealId, 0);
      expect(await world.registry.collateralOf(p1.providerId)).to.equal(collateral - COLLATERAL / 2n);
      await expect(world.challenges.resolve(deal.dealId, 0)).to.emit(world.challenges, "ChallengeDismissed");
      expect(await world.challenges.creditOf(world.reporter)).to.equal(bond);
      expect((await world.market.slot(deal.dealId, 0)).status).to.equal(2n);
    });

    it("of a tenure that has not begun leaves nothing to pay, and the slot can be filled again at once", async () => {
      await slots.lose(p1, 0);
      await slots.refill(0, p4);
      await slots.lose(p4, 0);
      const past = await world.market.pastTenure(deal.dealId, 0, p4.providerId);
      expect([past.fromPeriod, past.untilPeriod]).to.deep.equal([BigInt(start + 1), BigInt(start + 1)]);
      await settleTenure(p4);
      expect([await creditOf(p4.owner), await lockedOf(p4)]).to.deep.equal([0n, 0n]);
      const p5 = await world.addProvider(4);
      await slots.refill(0, p5);
      await world.pass(p2, p3);
      await world.pass(p2, p3, p5);
      await world.settleAll(deal);
      expect(await creditOf(p5.owner)).to.equal(NET);
    });

    it("takes less of a slot whose provider was slashed before, to the same share", async () => {
      const poor = await world.addProvider(4, 10n * COLLATERAL);
      const one = await slots.open([poor, p2], { collateralWei: 5n * COLLATERAL });
      const other = await slots.open([poor, p2], { collateralWei: 5n * COLLATERAL });
      await world.proofs.connect(world.committee).slashForService(poor.providerId, 200);
      expect(await world.registry.collateralOf(poor.providerId)).to.equal((98n * COLLATERAL) / 10n);
      await slots.lose(poor, 0, one);
      expect(await world.registry.collateralOf(poor.providerId)).to.equal((931n * COLLATERAL) / 100n);
      await world.market.settleTenure(one.dealId, 0, poor.providerId);
      // What is left now covers what is locked.
      await slots.lose(poor, 0, other);
      expect(await world.registry.collateralOf(poor.providerId)).to.equal((881n * COLLATERAL) / 100n);
    });

    it("gives the deal up once fewer than k slots are held, and refunds what is behind this period", async () => {
      const small = await slots.open([p1, p2, p3], { k: 2, periods: 30 });
      await world.pass(p1, p2, p3);
      await slots.lose(p1, 0, small);
      expect((await world.market.deal(small.dealId)).status).to.equal(1n);
      const before = await creditOf(world.user);
      await slots.lose(p2, 1, small);
      const failed = await world.market.deal(small.dealId);
      expect([failed.status, failed.end, failed.vacantSlots]).to.deep.equal([4n, BigInt(start + 2), 2n]);
      const owners = (COLLATERAL * 6n) / 100n;
      expect((await creditOf(world.user)) - before).to.equal(owners + 3n * PAY * 28n);
      await slots.lose(p3, 2, small);
      await world.pass(p1, p2, p3);
      for (const [slotIndex, { providerId }] of [p1, p2, p3].entries()) {
        await world.market.settleTenure(small.dealId, slotIndex, providerId);
      }
      await world.settleAll(small);
      const closed = await world.market.deal(small.dealId);
      expect([closed.status, closed.openSlots, closed.vacantSlots]).to.deep.equal([4n, 0n, 0n]);
    });
  });

  describe("named lost in a proof", () => {
    /** The first period in which the slot of `lost` is drawn at least twice before the others have answered. */
    const drawn = async (lost: OpenedDeal) => {
      for (;;) {
        const period = (await world.pass(p2, p3)) - 1;
        const samples = await world.samples(p1.providerId, period, lost.dealId);
        if (samples.filter(({ dealId }) => dealId === lost.dealId).length >= 2) return { period, samples };
        await world.prove(p1.providerId, period);
      }
    };

    it("costs half, once, and makes a hole of the period for however often it was drawn", async () => {
      await slots.open([p1, p2]);
      await world.pass(p1, p2, p3);
      const { period, samples } = await drawn(deal);
      await expect(world.proofs.connect(world.reporter).prove(p1.providerId, period, samples)).to.be.revertedWithCustomError(
        world.proofs,
        "SlotIsLive",
      );
      const collateral = await world.registry.collateralOf(p1.providerId);
      await world.proofs.connect(p1.operator).prove(p1.providerId, period, samples);
      expect(await world.registry.collateralOf(p1.providerId)).to.equal(collateral - COLLATERAL / 2n);
      const past = await world.market.pastTenure(deal.dealId, 0, p1.providerId);
      expect(past.untilPeriod).to.equal(BigInt(period));
      expect((await world.market.slot(deal.dealId, 0)).settledTo).to.equal(BigInt(period));

      await settleTenure(p1);
      expect(await creditOf(p1.owner)).to.equal(NET * BigInt(period - start));
      await world.pass(p1, p2, p3);
      await slots.refill(0, p4);
      await world.settleAll(deal);
    });

    it("M4: gives a period to the payer that the slot was drawn for, though its provider proved it", async () => {
      await slots.open([p1, p2]);
      const { period, samples } = await drawn(deal);
      await world.proofs.connect(p1.owner).prove(p1.providerId, period, samples);
      await slots.refill(0, p4);
      await world.pass(p1, p2, p3);
      await settleTenure(p1);
      await world.settleAll(deal);
      expect(await creditOf(p1.owner)).to.equal(NET * BigInt(period - start));
      const slot = await world.market.slot(deal.dealId, 0);
      expect([slot.providerId, slot.fromPeriod]).to.deep.equal([BigInt(p4.providerId), BigInt(period + 2)]);
    });

    it("is refused for a tenure that was handed over since", async () => {
      await slots.open([p1, p2]);
      await world.pass(p1, p2, p3);
      await slots.handOver(p1, 0, p4);
      for (;;) {
        const period = (await world.pass(p2, p3, ...((await world.period()) > start + 1 ? [p4] : []))) - 1;
        const samples = await world.samples(p1.providerId, period, deal.dealId);
        const isLive = period === start + 1;
        if (isLive && samples.some(({ dealId }) => dealId === deal.dealId)) {
          await refused(world.proofs.connect(p1.operator).prove(p1.providerId, period, samples), "WrongSlotStatus");
        }
        if (!isLive) break;
        await world.prove(p1.providerId, period);
      }
    });
  });

  describe("handed over", () => {
    it("is refused from all but the holder, while challenged, and of a slot that nobody holds", async () => {
      await refused(slots.handOver(p2, 0, p4), "NotAuthorized");
      await refused(slots.handOver({ ...p1, operator: world.user }, 0, p4), "NotAuthorized");
      const bond = await world.challenges.bondWei();
      await world.fund(world.user, bond);
      await world.token.connect(world.user).approve(world.challenges, bond);
      await world.challenges.connect(world.user).open(deal.dealId, 1);
      await refused(slots.handOver(p2, 1, p4), "WrongSlotStatus");
      await slots.lose(p1, 0);
      await refused(slots.handOver(p1, 0, p4), "WrongSlotStatus");
      await evictByLie(world, p3, deal, 2);
      await refused(slots.handOver(p3, 2, p4), "ProviderIsEvicted");
    });

    it("is refused to a provider that has a slot of the deal, is evicted, unknown, or has nothing to put at risk", async () => {
      await refused(slots.handOver(p1, 0, p2), "DuplicateProvider");
      await refused(slots.handOver(p1, 0, p1), "DuplicateProvider");
      const poor = await world.addProvider(4, 0n);
      await expect(slots.handOver(p1, 0, poor)).to.be.revertedWithCustomError(world.proofs, "InsufficientCollateral");
      const other = await slots.open([p4, p2]);
      await evictByLie(world, p4, other, 0);
      await refused(slots.handOver(p1, 0, p4), "ProviderIsEvicted");
      await refused(slots.handOver(p1, 0, { ...poor, providerId: 99 }), "UnknownProvider");
    });

    it("is refused for other bytes, other pay or less collateral, except that the deal's owner may take less", async () => {
      await refused(slots.handOver(p1, 0, p4, { root: deal.trees[1]?.root ?? "" }), "WrongCommitment");
      await refused(slots.handOver(p1, 0, p4, { leafCount: 4 }), "WrongCommitment");
      await refused(slots.handOver(p1, 0, p4, { payPerPeriodWei: 2n * PAY }), "WrongPay");
      await refused(slots.handOver(p1, 0, p4, { collateralWei: COLLATERAL - 10n ** 9n }), "CollateralTooSmall");
      await slots.lose(p1, 0);
      const { offer, refill: terms } = await world.refillOffer(deal, 0, p4);
      const less = { ...offer, collateralWei: 10n ** 9n };
      Object.assign(less, await world.signOffer({ ...deal.terms, ...terms }, 0, less, p4.operator));
      await world.market.connect(world.user).refill(deal.dealId, 0, less, terms);
      expect(await lockedOf(p4)).to.equal(10n ** 9n);
    });

    it("is refused when the new tenure could not begin before the end, or the offer covers less", async () => {
      const short = await slots.open([p1, p2], { periods: 1 });
      const { offer, refill: terms } = await world.refillOffer(short, 0, p4);
      const give = (dealId: string, with_: typeof terms) => world.market.connect(p1.operator).handOver(dealId, 0, offer, with_);
      await refused(give(short.dealId, terms), "InvalidTerms");
      await refused(give(deal.dealId, { ...terms, dealSalt: deal.terms.dealSalt, periods: 1 }), "InvalidTerms");
      await refused(give(deal.dealId, { ...terms, dealSalt: deal.terms.dealSalt, startBy: start }), "TooLate");
      await world.pass(p1, p2, p3);
      await refused(give(short.dealId, terms), "TooLate");
    });

    it("pays and asks the old tenure through the present period, the new one from the next", async () => {
      await world.pass(p1, p2, p3);
      await expect(slots.handOver(p1, 0, p4))
        .to.emit(world.market, "SlotHandedOver")
        .withArgs(deal.dealId, 0, p1.providerId, p4.providerId);
      await refused(slots.handOver(p1, 0, p4), "NotAuthorized");
      expect((await world.market.deal(deal.dealId)).vacantSlots).to.equal(0n);
      const period = await world.pass(p1, p2, p3);
      await expect(world.proofs.prove(p4.providerId, period - 1, [])).to.be.revertedWithCustomError(world.proofs, "WrongSampleCount");
      await world.pass(p2, p3, p4);
      await world.settleAll(deal);
      await settleTenure(p1);
      expect(await creditOf(p1.owner)).to.equal(2n * NET);
      expect(await creditOf(p4.owner)).to.equal(NET);
      expect([await lockedOf(p1), await lockedOf(p4)]).to.deep.equal([0n, COLLATERAL]);
      expect(await creditOf(world.user)).to.equal(0n);
    });

    it("is reported missing for the period in which it ended, but for none after it", async () => {
      await slots.handOver(p1, 0, p4);
      await world.pass(p2, p3);
      await world.pass(p2, p3, p4);
      await world.next();
      await world.openReports();
      const report = (period: number) => world.proofs.connect(world.reporter).reportMiss(p1.providerId, period, deal.dealId, 0);
      await expect(report(start + 1)).to.be.revertedWithCustomError(world.proofs, "NotLive");
      await report(start);
      await settleTenure(p1);
      expect([await creditOf(p1.owner), await creditOf(world.user)]).to.deep.equal([0n, PAY]);
      await expect(report(start)).to.be.revertedWithCustomError(world.proofs, "WrongPeriod");
    });

    it("passes through several hands in one period: who never served is paid nothing and is free at once", async () => {
      const p5 = await world.addProvider(4);
      await slots.handOver(p1, 0, p4);
      await slots.handOver(p4, 0, p5);
      await refused(slots.handOver(p5, 0, p4), "HeldBefore");
      await settleTenure(p4);
      expect([await lockedOf(p4), await creditOf(p4.owner)]).to.deep.equal([0n, 0n]);
      await world.pass(p1, p2, p3);
      await world.pass(p2, p3, p5);
      await settleTenure(p1);
      await world.settleAll(deal);
      expect([await creditOf(p1.owner), await creditOf(p5.owner)]).to.deep.equal([NET, NET]);
    });
  });

  describe("settled", () => {
    it("in parts: what is final, then the rest, and then never again", async () => {
      await world.pass(p1, p2, p3);
      await slots.handOver(p1, 0, p4);
      await settleTenure(p1);
      expect([await creditOf(p1.owner), await lockedOf(p1)]).to.deep.equal([NET, COLLATERAL]);
      await settleTenure(p1);
      expect(await creditOf(p1.owner)).to.equal(NET);
      await world.pass(p1, p2, p3);
      await settleTenure(p1);
      expect([await creditOf(p1.owner), await lockedOf(p1)]).to.deep.equal([2n * NET, 0n]);
      await refused(settleTenure(p1), "NoSuchTenure");
    });

    it("M3: of a provider evicted meanwhile: its unserved periods go to the payer, the owner gets its part of the slash", async () => {
      await world.pass(p1, p2, p3);
      await slots.handOver(p1, 0, p4);
      await evictByLie(world, p1, deal, 0);
      const unclaimed = await world.market.unclaimedWei();
      expect(unclaimed).to.be.greaterThan(0n);
      await settleTenure(p1);
      expect(await creditOf(p1.owner)).to.equal(NET);
      expect(await creditOf(world.user)).to.equal(PAY + unclaimed);
      expect([await world.market.unclaimedWei(), await lockedOf(p1)]).to.deep.equal([0n, 0n]);
      await refused(settleTenure(p1), "NoSuchTenure");
    });

    it("P5: gives no part of an eviction to who was no longer served in its period", async () => {
      const ended = await slots.open([p1, p2], { periods: 1 });
      await slots.handOver(p1, 0, p4);
      await world.pass(p1, p2, p3);
      await evictByLie(world, p1, deal, 0);
      const fund = await world.market.repairFundWei();
      const unclaimed = await world.market.unclaimedWei();
      await settleTenure(p1);
      await world.settleAll(ended);
      expect(await creditOf(world.user)).to.equal(0n);
      expect(await world.market.unclaimedWei()).to.equal(0n);
      const fees = 3n * (PAY - NET);
      expect((await world.market.repairFundWei()) - fund).to.equal(unclaimed + fees);
    });

    it("by a deal's end with past tenures open, ended early or not", async () => {
      const short = await slots.open([p1, p2, p3], { periods: 3 });
      await world.pass(p1, p2, p3);
      await slots.handOver(p1, 0, p4);
      await slots.lose(p2, 1, short);
      await world.market.connect(world.user).terminate(deal.dealId);
      await world.pass(p1, p2, p3);
      await world.pass(p1, p3);
      for (const each of slots.deals) await world.settleAll(each);
      for (const { dealId } of slots.deals) expect((await world.market.deal(dealId)).openSlots).to.equal(0n);
      expect([await lockedOf(p1), await lockedOf(p2)]).to.deep.equal([COLLATERAL, COLLATERAL]);
      await settleTenure(p1);
      await world.market.settleTenure(short.dealId, 1, p2.providerId);
      for (const provider of [p1, p2, p3, p4]) expect(await lockedOf(provider)).to.equal(0n);
    });
  });
});
