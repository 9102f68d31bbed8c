/** SlotChallenges: questions on demand, their answers, and who gets bond and collateral; to the wei. */
import { expect } from "chai";
import { id } from "ethers";
import { networkHelpers } from "../support/contracts/chain.ts";
import { evictByLie } from "../support/contracts/lies.ts";
import { ANSWER_SECONDS, CHALLENGE_BOND_WEI as BOND } from "../support/contracts/parameters.ts";
import { COLLATERAL, deploySlots, NET, Slots } from "../support/contracts/slots.ts";
import type { OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const [FILLED, VACANT, CLOSED, CHALLENGED] = [1n, 2n, 3n, 4n];

describe("SlotChallenges", () => {
  let slots: Slots;
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;
  let deal: OpenedDeal;

  const fixture = async () => {
    const deployed = await deploySlots(2);
    const { world } = deployed;
    for (const asker of [world.reporter, world.user, world.signer(18)]) await world.fund(asker, 100n * BOND, world.challenges);
    return deployed;
  };
  beforeEach(async () => {
    slots = await Slots.load(fixture);
    ({ world, deal } = slots);
    [p1, p2, p3] = slots.providers;
  });
  afterEach(() => slots.checkBooks());

  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.challenges, error);
  const refusedByMarket = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.market, error);
  const ask = (slotIndex = 0, of = deal, asker = world.reporter) => world.challenges.connect(asker).open(of.dealId, slotIndex);
  const asked = (slotIndex = 0, of = deal) => world.challenges.challengeOf(of.dealId, slotIndex);
  const resolve = (slotIndex = 0, of = deal) => world.challenges.connect(world.signer(18)).resolve(of.dealId, slotIndex);
  const proofs = async (slotIndex = 0, of = deal): Promise<string[]> =>
    world.leafProofs(of.dealId, slotIndex, await world.challenges.leavesOf(of.dealId, slotIndex));
  const answer = async (slotIndex = 0, of = deal) => world.challenges.answer(of.dealId, slotIndex, await proofs(slotIndex, of));
  const roundOf = async (slotIndex = 0, of = deal) => world.submitRound((await asked(slotIndex, of)).round);
  const afterDeadline = async (slotIndex = 0, of = deal) => networkHelpers.time.increaseTo((await asked(slotIndex, of)).deadline + 1n);
  const creditOf = (account: TestProvider["owner"]) => world.challenges.creditOf(account);
  const collateralOf = ({ providerId }: TestProvider) => world.registry.collateralOf(providerId);

  describe("asking", () => {
    it("is refused of a slot that nobody holds, of no deal, of an evicted provider, after the end and without a bond", async () => {
      await refusedByMarket(ask(2), "WrongSlotStatus");
      await refusedByMarket(world.challenges.connect(world.reporter).open(id("none"), 0), "WrongDealStatus");
      await expect(ask(0, deal, world.signer(17))).to.be.revertedWithCustomError(world.token, "ERC20InsufficientAllowance");
      const short = await slots.open([p1, p3], { periods: 1 });
      await evictByLie(world, p2, deal, 1);
      await refusedByMarket(ask(1), "ProviderIsEvicted");
      await world.pass(p1);
      await refusedByMarket(ask(0, short), "TooLate");
      await slots.lose(p1);
      await refusedByMarket(ask(0), "WrongSlotStatus");
    });

    it("C1: takes one bond, once per slot, and marks the slot", async () => {
      const before = await world.token.balanceOf(world.reporter);
      await expect(ask()).to.emit(world.market, "SlotStatusChanged").withArgs(deal.dealId, 0, FILLED, CHALLENGED);
      expect(before - (await world.token.balanceOf(world.reporter))).to.equal(BOND);
      const { challenger, providerId, deadline, bondWei, isOwners } = await asked();
      const now = BigInt(await networkHelpers.time.latest());
      expect([challenger, providerId, deadline, bondWei, isOwners]).to.deep.equal([
        world.reporter.address,
        BigInt(p1.providerId),
        now + ANSWER_SECONDS,
        BOND,
        false,
      ]);
      await refused(ask(), "DeadlineAhead");
      await refused(ask(0, deal, world.user), "DeadlineAhead");
    });

    it("C2: is open 32 times per provider at most, the owner's own not counted", async () => {
      const [pay, collateralWei] = [10n ** 9n, 10n ** 9n];
      const many: OpenedDeal[] = [];
      for (let at = 0; at < 34; at += 1) many.push(await slots.open([p1, p2], { payPerPeriodWei: pay, collateralWei, periods: 5 }));
      const [one, owners, ...others] = many as [OpenedDeal, OpenedDeal, ...OpenedDeal[]];
      await ask(0, owners, world.user);
      expect(await world.challenges.openCount(p1.providerId)).to.equal(0n);
      for (const of of others) await ask(0, of);
      await refused(ask(0, one), "TooManyChallenges");
      expect(await world.challenges.openCount(p1.providerId)).to.equal(32n);
      await refused(ask(0, deal), "TooManyChallenges");
      await ask(0, deal, world.user);
      await ask(1, one);
      // Every end of one makes room for another.
      const [answered] = others as [OpenedDeal];
      await roundOf(0, answered);
      await answer(0, answered);
      await ask(0, one);
      expect(await world.challenges.openCount(p1.providerId)).to.equal(32n);
    });

    it("asks again as soon as the last question is over, which is resolved on the way", async () => {
      await ask();
      await roundOf();
      await answer();
      await ask();
      await afterDeadline();
      // Nobody brought the beacon: dismissed, and asked anew.
      await expect(ask(0, deal, world.user)).to.emit(world.challenges, "ChallengeDismissed");
      expect([await creditOf(world.reporter), await creditOf(p1.owner)]).to.deep.equal([BOND, BOND]);
      expect((await asked()).isOwners).to.equal(true);
    });
  });

  describe("answering", () => {
    it("is refused before the round, for fewer, other or malformed leaves, after the deadline, and of nothing asked", async () => {
      await refused(world.challenges.answer(deal.dealId, 0, []), "NoChallenge");
      await ask();
      await refused(world.challenges.answer(deal.dealId, 0, []), "BeaconUnavailable");
      await roundOf();
      const good = await proofs();
      const attempt = (shown: string[]) => world.challenges.answer(deal.dealId, 0, shown);
      await refused(attempt(good.slice(1)), "WrongLeafCount");
      await refused(attempt([...good, ...good.slice(0, 1)]), "WrongLeafCount");
      await refused(attempt(good.map((proof) => proof.slice(0, -64))), "InvalidProof");
      await refused(attempt(good.map((proof) => `0x${"00".repeat((proof.length - 2) / 2)}`)), "InvalidProof");
      const leaves = await world.challenges.leavesOf(deal.dealId, 0);
      await refused(attempt(world.leafProofs(deal.dealId, 1, leaves)), "InvalidProof");
      const { deadline } = await asked();
      await networkHelpers.time.setNextBlockTimestamp(deadline + 1n);
      await refused(attempt(good), "DeadlinePassed");
    });

    it("gives the bond to the provider's owner, whoever answered, up to the last second", async () => {
      await ask();
      await roundOf();
      const good = await proofs();
      const { deadline } = await asked();
      await networkHelpers.time.setNextBlockTimestamp(deadline);
      await refused(resolve(), "DeadlineAhead");
      await world.challenges.connect(world.signer(17)).answer(deal.dealId, 0, good);
      expect(BigInt(await networkHelpers.time.latest())).to.equal(deadline);
      expect([await creditOf(p1.owner), await slots.statusOf()]).to.deep.equal([BOND, FILLED]);
    });

    it("takes the beacon along, and costs the provider nothing", async () => {
      await ask();
      const { round } = await asked();
      await networkHelpers.time.increaseTo(await world.beacon.timeOfRound(round));
      const { signature } = world.group.sign(round);
      const snapshot = await networkHelpers.takeSnapshot();
      await world.beacon.submit(round, signature);
      const good = await proofs();
      await snapshot.restore();
      const before = await collateralOf(p1);
      await world.challenges.answerWithBeacon(deal.dealId, 0, good, signature);
      expect([await creditOf(p1.owner), await creditOf(world.reporter)]).to.deep.equal([BOND, 0n]);
      expect([await collateralOf(p1), await slots.statusOf()]).to.deep.equal([before, FILLED]);
      await refused(resolve(), "NoChallenge");
      const balance = await world.token.balanceOf(world.signer(17));
      await world.challenges.connect(p1.owner).withdraw(world.signer(17));
      expect((await world.token.balanceOf(world.signer(17))) - balance).to.equal(BOND);
      await refused(world.challenges.connect(p1.owner).withdraw(p1.owner), "NothingToWithdraw");
    });

    it("goes on proving and being paid while a question is open", async () => {
      await ask();
      await world.pass(p1, p2);
      await world.settleAll(deal);
      expect(await world.market.creditOf(p1.owner)).to.equal(NET);
      expect(await slots.statusOf()).to.equal(CHALLENGED);
    });
  });

  describe("without an answer", () => {
    it("takes all of the slot's collateral: a tenth to who asked, the rest to fund and owner; the bond goes back", async () => {
      await world.pass(p1, p2);
      await ask();
      await roundOf();
      await refused(resolve(), "DeadlineAhead");
      await afterDeadline();
      const [before, fund] = [await collateralOf(p1), await world.market.repairFundWei()];
      await expect(resolve()).to.emit(world.challenges, "ChallengeForfeited").withArgs(deal.dealId, 0, p1.providerId);
      expect(before - (await collateralOf(p1))).to.equal(COLLATERAL);
      expect(await world.market.creditOf(world.reporter)).to.equal(COLLATERAL / 10n);
      expect((await world.market.repairFundWei()) - fund).to.equal((COLLATERAL * 4n) / 10n);
      expect(await world.market.creditOf(world.user)).to.equal(COLLATERAL / 2n);
      expect([await creditOf(world.reporter), await slots.statusOf()]).to.deep.equal([BOND, VACANT]);
      const past = await world.market.pastTenure(deal.dealId, 0, p1.providerId);
      expect(past.untilPeriod).to.equal(BigInt(await world.period()));
      await world.market.settleTenure(deal.dealId, 0, p1.providerId);
      await refused(resolve(), "NoChallenge");
    });

    it("is dismissed when no beacon came", async () => {
      await ask();
      await afterDeadline();
      const before = await collateralOf(p1);
      await expect(resolve()).to.emit(world.challenges, "ChallengeDismissed");
      expect([await creditOf(world.reporter), await collateralOf(p1), await slots.statusOf()]).to.deep.equal([BOND, before, FILLED]);
    });

    it("is dismissed at once when the provider gave the slot up, which costs less", async () => {
      await ask();
      await roundOf();
      await slots.lose(p1);
      const before = await collateralOf(p1);
      await expect(resolve()).to.emit(world.challenges, "ChallengeDismissed");
      expect([await creditOf(world.reporter), await collateralOf(p1), await slots.statusOf()]).to.deep.equal([BOND, before, VACANT]);
    });

    it("leaves a new holder in peace when the question was the old one's", async () => {
      await ask();
      await roundOf();
      await slots.lose(p1);
      await slots.refill(0, p3);
      const before = await collateralOf(p3);
      await afterDeadline();
      await expect(resolve()).to.emit(world.challenges, "ChallengeDismissed");
      expect([await collateralOf(p3), await slots.statusOf()]).to.deep.equal([before, FILLED]);
      await ask();
      expect((await asked()).providerId).to.equal(BigInt(p3.providerId));
    });

    it("C4: is dismissed when the provider was evicted, settled before or not", async () => {
      const other = await slots.open([p1, p3]);
      for (const of of slots.deals) await ask(0, of);
      await evictByLie(world, p1, deal, 0);
      await world.market.settle(deal.dealId, [0]);
      for (const of of slots.deals) {
        expect(await slots.statusOf(0, of)).to.equal(VACANT);
        await expect(resolve(0, of)).to.emit(world.challenges, "ChallengeDismissed");
        expect(await slots.statusOf(0, of)).to.equal(VACANT);
      }
      await world.market.settle(other.dealId, [0]);
      expect((await world.market.deal(other.dealId)).vacantSlots).to.equal(1n);
      expect([await creditOf(world.reporter), await world.challenges.openCount(p1.providerId)]).to.deep.equal([2n * BOND, 0n]);
    });

    it("keeps a slot open past the deal's end, and forfeits it all the same", async () => {
      const short = await slots.open([p1, p3], { periods: 2 });
      await ask(0, short);
      await roundOf(0, short);
      await world.pass(p1, p2, p3);
      await world.pass(p1, p2, p3);
      await world.settleAll(short);
      expect([await slots.statusOf(0, short), (await world.market.deal(short.dealId)).openSlots]).to.deep.equal([CHALLENGED, 1n]);
      expect(await world.market.creditOf(p1.owner)).to.equal(2n * NET);
      await afterDeadline(0, short);
      const before = await collateralOf(p1);
      await resolve(0, short);
      expect(before - (await collateralOf(p1))).to.equal(COLLATERAL);
      const { status, openSlots, vacantSlots } = await world.market.deal(short.dealId);
      expect([status, openSlots, vacantSlots, await slots.statusOf(0, short)]).to.deep.equal([2n, 0n, 0n, CLOSED]);
      await world.market.settleTenure(short.dealId, 0, p1.providerId);
      expect(await world.market.creditOf(p1.owner)).to.equal(2n * NET);
      expect((await world.registry.getProvider(p1.providerId)).lockedWei).to.equal(COLLATERAL);
    });

    it("lets a slot close that was answered after the deal's end", async () => {
      const short = await slots.open([p1, p3], { periods: 1 });
      await ask(0, short);
      await roundOf(0, short);
      await world.pass(p1, p2, p3);
      await world.settleAll(short);
      await answer(0, short);
      expect(await slots.statusOf(0, short)).to.equal(FILLED);
      await world.settleAll(short);
      const { status, openSlots } = await world.market.deal(short.dealId);
      expect([status, openSlots]).to.deep.equal([2n, 0n]);
    });

    it("takes nothing more of a provider that was evicted after the deal's end", async () => {
      const short = await slots.open([p1, p3], { periods: 1 });
      await ask(0, short);
      await roundOf(0, short);
      await world.pass(p1, p2, p3);
      await evictByLie(world, p1, deal, 0);
      await afterDeadline(0, short);
      await resolve(0, short);
      await world.market.settleTenure(short.dealId, 0, p1.providerId);
      await world.settleAll(short);
      await world.settleAll(deal);
      expect((await world.registry.getProvider(p1.providerId)).lockedWei).to.equal(0n);
      expect((await world.market.deal(short.dealId)).openSlots).to.equal(0n);
    });
  });

  it("lets the timelock alone change the bond, inside its bounds, for questions to come", async () => {
    await ask();
    const by = world.challenges.connect(world.timelock);
    await refused(world.challenges.setBond(BOND), "NotAuthorized");
    await refused(by.setBond(0n), "BondOutOfBounds");
    await refused(by.setBond(10n ** 20n + 1n), "BondOutOfBounds");
    await by.setBond(2n * BOND);
    await ask(1);
    expect([(await asked(0)).bondWei, (await asked(1)).bondWei]).to.deep.equal([BOND, 2n * BOND]);
  });
});
