/** SlotRepair: reserving, rebuilding and filling slots that nobody holds; bonds and premiums to the wei. */
import { expect } from "chai";
import { id } from "ethers";
import { networkHelpers } from "../support/contracts/chain.ts";
import { evictByLie } from "../support/contracts/lies.ts";
import { RESERVATION_SECONDS } from "../support/contracts/parameters.ts";
import { COLLATERAL, deploySlots, NET, PAY, Slots } from "../support/contracts/slots.ts";
import type { OpenedDeal, SlotOffer, TestProvider, World } from "../support/contracts/world.ts";

const BOND = COLLATERAL / 100n;

describe("SlotRepair", () => {
  let slots: Slots;
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;
  let p4: TestProvider;
  let deal: OpenedDeal;

  const fixture = async () => {
    const deployed = await deploySlots(3, 300);
    const { world } = deployed;
    for (const repairer of [world.reporter, world.signer(18)]) await world.fund(repairer, 10n * COLLATERAL, world.repair);
    return deployed;
  };
  beforeEach(async () => {
    slots = await Slots.load(fixture);
    ({ world, deal } = slots);
    [p1, p2, p3, p4] = slots.providers;
  });
  afterEach(() => slots.checkBooks());

  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.repair, error);
  const refusedByMarket = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.market, error);
  const reserve = (slotIndices: number[], repairer = world.reporter, of = deal) =>
    world.repair.connect(repairer).reserve(of.dealId, slotIndices);
  const release = (slotIndex: number, repairer = world.reporter) => world.repair.connect(repairer).release(deal.dealId, slotIndex);
  /** A reservation whose round is known. */
  const reserved = async (slotIndices: number[], repairer = world.reporter): Promise<void> => {
    await reserve(slotIndices, repairer);
    const { round } = await world.repair.reservationOf(deal.dealId, slotIndices[0] ?? 0);
    await world.submitRound(round);
  };
  const proofsFor = async (slotIndex: number, provider: TestProvider): Promise<string[]> => {
    const leaves = await world.repair.leavesOf(deal.dealId, slotIndex, provider.providerId);
    return world.leafProofs(deal.dealId, slotIndex, leaves);
  };
  const fill = async (
    slotIndex: number,
    provider: TestProvider,
    change: Partial<SlotOffer> = {},
    repairer = world.reporter,
    proofs?: string[],
  ) => {
    const { offer, terms } = await slots.offer(provider, slotIndex, deal, change);
    const shown = proofs ?? (await proofsFor(slotIndex, provider));
    return world.repair.connect(repairer).fill(deal.dealId, slotIndex, offer, terms, shown);
  };
  const reservation = (slotIndex: number) => world.repair.reservationOf(deal.dealId, slotIndex);
  /** What is left of a bond at the time of the last block. */
  const leftOf = async (openedAt: bigint): Promise<bigint> => {
    const left = openedAt + RESERVATION_SECONDS - BigInt(await networkHelpers.time.latest());
    return left > 0n ? (BOND * left) / RESERVATION_SECONDS : 0n;
  };

  describe("reserving", () => {
    it("N1: is refused for nothing, too many, a slot that is held, one of no deal, and one reserved twice", async () => {
      await refused(reserve([]), "TooManySlots");
      await refused(reserve(Array.from({ length: 129 }, () => 0)), "TooManySlots");
      await refusedByMarket(reserve([0]), "WrongSlotStatus");
      await refusedByMarket(reserve([3]), "WrongSlotStatus");
      await refusedByMarket(world.repair.connect(world.reporter).reserve(id("no deal"), [0]), "WrongDealStatus");
      await slots.lose(p1, 0);
      await refused(reserve([0, 0]), "AlreadyReserved");
      await reserve([0]);
      await refused(reserve([0], world.signer(18)), "AlreadyReserved");
      await refusedByMarket(slots.lose(p1), "WrongSlotStatus");
    });

    it("is refused in the last period of a deal, and without the bond's tokens", async () => {
      const short = await slots.open([p1, p2], { periods: 2 });
      await slots.lose(p1, 0, short);
      await world.pass(p1, p2, p3);
      await refusedByMarket(reserve([0], world.reporter, short), "TooLate");
      await slots.lose(p1, 0);
      await expect(reserve([0], world.signer(17))).to.be.revertedWithCustomError(world.token, "ERC20InsufficientAllowance");
    });

    it("takes the bond of several slots at once, and lets the owner go before", async () => {
      await slots.lose(p1, 0);
      await slots.lose(p2, 1);
      const before = await world.token.balanceOf(world.reporter);
      await reserve([0, 1]);
      expect(before - (await world.token.balanceOf(world.reporter))).to.equal(2n * BOND);
      for (const slotIndex of [0, 1]) {
        const { repairer, openedAt, until, bondWei } = await reservation(slotIndex);
        expect([repairer, until - openedAt, bondWei]).to.deep.equal([world.reporter.address, RESERVATION_SECONDS, BOND]);
        expect(await slots.statusOf(slotIndex)).to.equal(5n);
      }
      expect((await world.market.deal(deal.dealId)).vacantSlots).to.equal(2n);
      await slots.refill(0, p4);
      expect(await slots.statusOf(0)).to.equal(1n);
      // The bond of a reservation that the owner ended is there for anybody to release to its holder.
      await world.repair.release(deal.dealId, 0);
      expect(await world.repair.creditOf(world.reporter)).to.be.greaterThan((BOND * 9n) / 10n);
    });

    it("settles the slot of an evicted provider first", async () => {
      await evictByLie(world, p1, deal, 0);
      await reserve([0]);
      expect([await slots.statusOf(0), (await world.market.deal(deal.dealId)).vacantSlots]).to.deep.equal([5n, 1n]);
    });
  });

  describe("ending a reservation", () => {
    it("N5: is refused to others before its end, and of none", async () => {
      await refused(release(0), "NoReservation");
      await slots.lose(p1, 0);
      await reserve([0]);
      await refused(release(0, world.signer(18)), "NotAuthorized");
    });

    it("N3: gives its holder what time has left of the bond, and the rest to the fund", async () => {
      await slots.lose(p1, 0);
      const fund = await world.market.repairFundWei();
      await reserve([0]);
      const { openedAt } = await reservation(0);
      await networkHelpers.time.increase(100);
      await release(0);
      const left = await leftOf(openedAt);
      expect(left).to.be.within((BOND * 70n) / 100n, (BOND * 75n) / 100n);
      expect(await world.repair.creditOf(world.reporter)).to.equal(left);
      expect((await world.market.repairFundWei()) - fund).to.equal(BOND - left);
      expect(await slots.statusOf(0)).to.equal(2n);
      const before = await world.token.balanceOf(world.user);
      await world.repair.connect(world.reporter).withdraw(world.user);
      expect((await world.token.balanceOf(world.user)) - before).to.equal(left);
      await refused(world.repair.connect(world.reporter).withdraw(world.user), "NothingToWithdraw");
    });

    it("leaves nothing to who let it run out; anybody may end it then", async () => {
      await slots.lose(p1, 0);
      await reserve([0]);
      const { until } = await reservation(0);
      await networkHelpers.time.setNextBlockTimestamp(until);
      await refused(release(0, world.signer(18)), "NotAuthorized");
      await networkHelpers.time.setNextBlockTimestamp(until + 1n);
      await release(0, world.signer(18));
      expect(await world.repair.creditOf(world.reporter)).to.equal(0n);
      expect(await slots.statusOf(0)).to.equal(2n);
    });

    it("lets another one take a reservation over that has run out", async () => {
      await slots.lose(p1, 0);
      await reserve([0]);
      await networkHelpers.time.increase(RESERVATION_SECONDS + 1n);
      const fund = await world.market.repairFundWei();
      await reserved([0], world.signer(18));
      expect((await world.market.repairFundWei()) - fund).to.equal(BOND);
      await refused(fill(0, p4), "NotAuthorized");
      await refused(release(0), "NotAuthorized");
      await fill(0, p4, {}, world.signer(18));
      expect((await world.market.slot(deal.dealId, 0)).providerId).to.equal(BigInt(p4.providerId));
    });

    it("N4: goes on when the deal ends meanwhile: the slot closes, the bond's rest is its holder's", async () => {
      const short = await slots.open([p1, p2], { periods: 3 });
      await slots.lose(p1, 0, short);
      await reserve([0], world.reporter, short);
      for (let at = 0; at < 3; at += 1) await world.pass(p1, p2, p3);
      await world.settleAll(short);
      expect(await slots.statusOf(0, short)).to.equal(3n);
      const { openedAt } = await world.repair.reservationOf(short.dealId, 0);
      await world.repair.connect(world.signer(18)).release(short.dealId, 0);
      expect(await world.repair.creditOf(world.reporter)).to.equal(await leftOf(openedAt));
      expect([await slots.statusOf(0, short), (await world.market.deal(short.dealId)).openSlots]).to.deep.equal([3n, 0n]);
    });

    it("goes on when the deal is terminated: nothing can be filled, and the slot closes", async () => {
      await slots.lose(p1, 0);
      await reserved([0]);
      await world.market.connect(world.user).terminate(deal.dealId);
      await refusedByMarket(fill(0, p4), "WrongDealStatus");
      await world.pass(p2, p3);
      await world.settleAll(deal);
      expect(await slots.statusOf(0)).to.equal(3n);
      await release(0);
      expect(await slots.statusOf(0)).to.equal(3n);
    });
  });

  describe("filling", () => {
    it("is refused before the round is known, to another sender, without a reservation and after its end", async () => {
      await refused(fill(0, p4, {}, world.reporter, []), "NoReservation");
      await slots.lose(p1, 0);
      await reserve([0]);
      await refused(fill(0, p4, {}, world.reporter, []), "BeaconUnavailable");
      const { round, until } = await reservation(0);
      await world.submitRound(round);
      await refused(fill(0, p4, {}, world.signer(18)), "NotAuthorized");
      const proofs = await proofsFor(0, p4);
      await networkHelpers.time.increaseTo(until);
      await refused(fill(0, p4, {}, world.reporter, proofs), "ReservationOver");
    });

    it("is refused to a sybil without the bytes: for fewer, other, short or another provider's leaves", async () => {
      await slots.lose(p1, 0);
      await reserved([0]);
      const proofs = await proofsFor(0, p4);
      const attempt = (shown: string[]) => fill(0, p4, {}, world.reporter, shown);
      await refused(attempt(proofs.slice(1)), "WrongLeafCount");
      await refused(attempt([...proofs, ...proofs]), "WrongLeafCount");
      await refused(attempt(proofs.map((proof) => proof.slice(0, -64))), "InvalidProof");
      await refused(attempt(proofs.map((proof) => `0x${"00".repeat((proof.length - 2) / 2)}`)), "InvalidProof");
      const leaves = await world.repair.leavesOf(deal.dealId, 0, p4.providerId);
      await refused(attempt(world.leafProofs(deal.dealId, 1, leaves)), "InvalidProof");
      await refused(
        attempt(
          world.leafProofs(
            deal.dealId,
            0,
            leaves.map((leaf) => (leaf + 1n) % 5n),
          ),
        ),
        "InvalidProof",
      );
      // A root of its own making is not the slot's.
      const own = deal.trees[1];
      const shown = world.leafProofs(deal.dealId, 1, leaves);
      await refusedByMarket(fill(0, p4, { root: own?.root ?? "" }, world.reporter, shown), "WrongCommitment");
    });

    it("M8: is refused for other pay, less collateral, a provider of the deal, one that is gone, or unsigned terms", async () => {
      await slots.lose(p1, 0);
      await reserved([0]);
      await refusedByMarket(fill(0, p4, { payPerPeriodWei: PAY + 10n ** 9n }), "WrongPay");
      await refusedByMarket(fill(0, p4, { collateralWei: 10n ** 9n }), "CollateralTooSmall");
      await refusedByMarket(fill(0, p2), "DuplicateProvider");
      await refusedByMarket(fill(0, p1), "HeldBefore");
      const other = await slots.open([p4, p2]);
      await evictByLie(world, p4, other, 0);
      await refusedByMarket(fill(0, p4), "ProviderIsEvicted");
    });

    it("pays the repairer the premium and what is left of the bond, and the new holder from the next period", async () => {
      await slots.lose(p1, 0);
      const lostIn = await world.period();
      await world.pass(p2, p3);
      await world.pass(p2, p3);
      await reserved([0]);
      const { openedAt } = await reservation(0);
      const [fund, credit] = [await world.market.repairFundWei(), await world.market.creditOf(world.user)];
      await fill(0, p4);
      const premium = (((COLLATERAL * 2n) / 100n) * 2n) / 4n;
      const left = await leftOf(openedAt);
      expect(await world.market.creditOf(world.reporter)).to.equal(premium);
      expect(await world.repair.creditOf(world.reporter)).to.equal(left);
      expect(await world.market.repairFundWei()).to.equal(fund + (BOND - left) - premium);
      const period = await world.period();
      expect((await world.market.creditOf(world.user)) - credit).to.equal(PAY * BigInt(period + 1 - lostIn));
      await refused(release(0), "NoReservation");
      await world.pass(p2, p3);
      await world.pass(p2, p3, p4);
      await world.settleAll(deal);
      expect(await world.market.creditOf(p4.owner)).to.equal(NET);
      expect((await world.market.deal(deal.dealId)).vacantSlots).to.equal(0n);
    });

    it("M10: pays a premium that grows with vacancy up to its bound", async () => {
      await slots.lose(p1, 0);
      for (let at = 0; at < 6; at += 1) await world.pass(p2, p3);
      await reserved([0]);
      await fill(0, p4);
      expect(await world.market.creditOf(world.reporter)).to.equal((COLLATERAL * 2n) / 100n);
    });

    it("M10: pays what the fund has when that is less than the premium", async () => {
      await slots.lose(p1, 0);
      for (let at = 0; at < 75; at += 1) {
        await world.next();
        await world.market.connect(world.committee).payFromRepairFund(world.committee, COLLATERAL);
      }
      await reserved([0]);
      const fund = await world.market.repairFundWei();
      expect(fund).to.be.lessThan((COLLATERAL * 2n) / 100n);
      const { openedAt } = await reservation(0);
      await fill(0, p4);
      const decayed = BOND - (await leftOf(openedAt));
      expect(await world.market.creditOf(world.reporter)).to.equal(fund + decayed);
      expect(await world.market.repairFundWei()).to.equal(0n);
    });

    it("fills a slot in the period in which a tenure was lost that had not begun, for no premium", async () => {
      await slots.lose(p1, 0);
      await slots.refill(0, p4);
      await slots.lose(p4, 0);
      const p5 = await world.addProvider(4);
      const period = await world.period();
      await reserved([0]);
      expect(await world.period()).to.equal(period);
      await fill(0, p5);
      expect(await world.market.creditOf(world.reporter)).to.equal(0n);
      expect((await world.market.slot(deal.dealId, 0)).fromPeriod).to.equal(BigInt(period + 1));
    });

    it("fills several slots of one reservation with several providers", async () => {
      const p5 = await world.addProvider(4);
      await slots.lose(p1, 0);
      await slots.lose(p2, 1);
      await reserved([0, 1]);
      await fill(0, p4);
      await refusedByMarket(fill(1, p4), "DuplicateProvider");
      await fill(1, p5);
      const { vacantSlots, openSlots } = await world.market.deal(deal.dealId);
      expect([vacantSlots, openSlots]).to.deep.equal([0n, 3n]);
    });
  });
});
