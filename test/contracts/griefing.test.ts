/** What somebody can do who only wants to be a nuisance, and what it costs whom. Signatures used twice are in signatures.test.ts. */
import { expect } from "chai";
import { checkBooks } from "../support/contracts/books.ts";
import { networkHelpers } from "../support/contracts/chain.ts";
import { CHALLENGE_BOND_WEI, FAR, GWEI, PARAMS, REPORT_DELAY_BLOCKS, RESERVATION_SECONDS } from "../support/contracts/parameters.ts";
import { COLLATERAL, PAY } from "../support/contracts/slots.ts";
import { escrowOf, signOpenDeal } from "../support/contracts/sponsor-world.ts";
import { deployStage, type Stage } from "../support/contracts/stage.ts";
import type { DealTerms, OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const DUST = { payPerPeriodWei: GWEI, collateralWei: GWEI };
const [FILLED, VACANT, CLOSED] = [1n, 2n, 3n];

describe("Griefing", function () {
  this.timeout(120_000);
  let stage: Stage;
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;
  let p4: TestProvider;
  let deals: OpenedDeal[];

  beforeEach(async () => {
    stage = await networkHelpers.loadFixture(deployStage);
    world = stage.world;
    [p1, p2, p3, p4] = stage.providers;
    deals = [stage.deal];
  });
  afterEach(() => checkBooks(world, deals));

  const open = async (options: object, providers: readonly TestProvider[] = [p1, p2]): Promise<OpenedDeal> => {
    const deal = await world.open(providers, options);
    deals.push(deal);
    return deal;
  };
  const lose = (deal: OpenedDeal, provider: TestProvider, slotIndex: number) =>
    world.market.connect(provider.operator).declareLost(deal.dealId, slotIndex);
  const statusOf = async (deal: OpenedDeal, slotIndex: number) => (await world.market.slot(deal.dealId, slotIndex)).status;
  const refusedByMarket = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.market, error);

  describe("with dust", () => {
    it("deals of one gwei a period are settled, refunded and closed to the wei", async () => {
      const deal = await open({ ...DUST, periods: 2 });
      await world.pass(p1, p2, p3);
      await world.pass(p1, p3);
      for (let at = 0; at < 7; at += 1) await world.next();
      await world.settleAll(deal);
      const fee = (GWEI * BigInt(PARAMS.protocolFeeBps)) / 10_000n;
      expect([await world.market.creditOf(p1.owner), await world.market.creditOf(p2.owner)]).to.deep.equal([2n * (GWEI - fee), GWEI - fee]);
      expect(await world.market.creditOf(world.user)).to.equal(GWEI);
      expect((await world.market.deal(deal.dealId)).openSlots).to.equal(0n);
    });

    it("a slot with a gwei at risk is worth no question: who asks puts up a billion times what it could win", async () => {
      const deal = await open({ ...DUST, periods: 60 });
      await world.challenges.connect(world.reporter).open(deal.dealId, 0);
      const { round, deadline } = await world.challenges.challengeOf(deal.dealId, 0);
      await world.submitRound(round);
      await networkHelpers.time.increaseTo(deadline + 1n);
      const before = await world.registry.collateralOf(p1.providerId);
      await world.challenges.resolve(deal.dealId, 0);
      expect(before - (await world.registry.collateralOf(p1.providerId))).to.equal(GWEI);
      expect(await world.market.creditOf(world.reporter)).to.equal(GWEI / 10n);
      expect(CHALLENGE_BOND_WEI / (GWEI / 10n)).to.equal(1_000_000_000n);
    });

    it("a loss of a gwei costs nothing that whole gwei can pay, and the owner chose that risk", async () => {
      const deal = await open({ ...DUST, periods: 60 });
      const before = await world.registry.collateralOf(p1.providerId);
      await lose(deal, p1, 0);
      expect(await world.registry.collateralOf(p1.providerId)).to.equal(before);
      expect(await statusOf(deal, 0)).to.equal(VACANT);
    });

    it("a reservation bond of dust holds strangers back for its time, the owner not at all", async () => {
      const deal = await open({ ...DUST, periods: 300 });
      await lose(deal, p1, 0);
      await world.repair.connect(world.reporter).reserve(deal.dealId, [0]);
      expect((await world.repair.reservationOf(deal.dealId, 0)).bondWei).to.equal(GWEI / 100n);
      const { offer, refill } = await world.refillOffer(deal, 0, p4);
      await world.market.connect(world.user).refill(deal.dealId, 0, offer, refill);
      expect(await statusOf(deal, 0)).to.equal(FILLED);
      await world.repair.release(deal.dealId, 0);
    });

    it("a slot that is reserved again and again costs its bond each time, and the deal goes on and ends", async () => {
      const { deal } = stage;
      await lose(deal, p1, 0);
      const fund = await world.market.repairFundWei();
      for (let at = 0; at < 3; at += 1) {
        await world.repair.connect(world.reporter).reserve(deal.dealId, [0]);
        await networkHelpers.time.increase(RESERVATION_SECONDS + 1n);
      }
      await world.repair.release(deal.dealId, 0);
      expect((await world.market.repairFundWei()) - fund).to.equal((3n * COLLATERAL) / 100n);
      await world.enter(Number((await world.market.deal(deal.dealId)).end) + 8);
      await world.settleAll(deal);
      expect(await statusOf(deal, 0)).to.equal(CLOSED);
    });

    it("gifts of nothing change nothing, gifts of something are gifts", async () => {
      const { pool, made } = stage;
      const [verifier] = made.verifiers;
      const by = world.reporter;
      await world.market.connect(by).donate(0n);
      await world.registry.connect(by).depositCollateral(p1.providerId, 0n);
      await made.committee.connect(by).topUp(verifier?.address ?? "", 0n);
      await pool.pool.connect(by).fund(0n);
      await made.committee.connect(by).topUp(verifier?.address ?? "", 5n);
      await world.registry.connect(by).depositCollateral(p1.providerId, GWEI);
      await expect(world.registry.connect(by).depositCollateral(p1.providerId, 1n)).to.be.revertedWithCustomError(
        world.registry,
        "NotAMultipleOfGwei",
      );
      const status = (await made.committee.verifierOf(verifier?.address ?? "")).status;
      expect([status, await world.token.balanceOf(made.committee)]).to.deep.equal([1n, await made.bookedWei()]);
    });
  });

  describe("with many tiny slots on one provider", () => {
    const MANY = 128;

    it("costs the griefer more gas for each than the provider for all of them", async () => {
      const { deal } = stage;
      await world.pass(p1, p2, p3);
      const gasOf = async (period: number) => Number((await world.prove(p1.providerId, period)).gasUsed);
      const period = await world.next();
      const before = await gasOf(period - 1);
      const terms: DealTerms[] = [];
      for (let at = 0; at < MANY; at += 1) terms.push((await world.makeTerms([p1, p2], { ...DUST, periods: 40 })).terms);
      await world.fund(world.user, 1_000n * PAY);
      let openingGas = 0;
      for (let at = 0; at < MANY; at += 64) {
        const receipt = await (await world.market.connect(world.user).openDeals(terms.slice(at, at + 64))).wait();
        openingGas += Number(receipt?.gasUsed ?? 0n);
      }
      const next = await world.next();
      const after = await gasOf(next - 1);
      // Interval length is pay: the dust is a hundred-thousandth of the line, and the draws go on asking for the slot that is paid.
      expect(after - before).to.be.lessThan(15_000);
      expect(openingGas / MANY).to.be.greaterThan(after - before);
      const { liveGwei, lengthGwei } = await world.proofs.inventory(p1.providerId);
      expect([liveGwei, lengthGwei]).to.deep.equal([PAY / GWEI + BigInt(MANY), PAY / GWEI + BigInt(MANY)]);
      // All of them ended at once leaves holes of the same hundred-thousandth.
      for (const { owner, dealSalt } of terms.slice(0, 8)) {
        await world.market.connect(world.user).terminate(await world.market.dealIdOf(owner, dealSalt));
      }
      await world.next();
      await world.next();
      expect(await gasOf((await world.period()) - 1)).to.be.lessThan(after + 15_000);
      for (const { dealSalt, offers, ...rest } of terms) {
        const dealId = await world.market.dealIdOf(rest.owner, dealSalt);
        deals.push({ ...deal, dealId, terms: { ...rest, dealSalt, offers } });
      }
    });

    it("binds no more of a stolen hot key's collateral than its cap", async () => {
      await world.registry.connect(p1.owner).setOperatorCap(p1.providerId, 3n * GWEI);
      for (let at = 0; at < 3; at += 1) await open({ ...DUST, periods: 5 });
      await expect(world.open([p1, p2], { ...DUST, periods: 5 })).to.be.revertedWithCustomError(world.registry, "OperatorCapExceeded");
    });
  });

  describe("with somebody else's offers", () => {
    it("opens nothing: they are bound to owner and payer, and still good for them afterwards", async () => {
      const { terms } = await world.makeTerms([p1, p2]);
      const copied = { ...terms, owner: world.reporter.address, payer: world.reporter.address };
      const thief = world.market.connect(world.reporter);
      await refusedByMarket(thief.openDeals([terms]), "NotAuthorized");
      await refusedByMarket(thief.openDeals([copied]), "InvalidOfferSignature");
      await refusedByMarket(thief.openDealWithSig(copied, escrowOf(terms), FAR, "0x"), "InvalidOwnerSignature");
      const mixed = { ...terms, payer: world.reporter.address };
      const consent = await signOpenDeal(world, terms, world.user);
      await refusedByMarket(thief.openDealWithSig(mixed, escrowOf(terms), FAR, consent), "InvalidOwnerSignature");
      await world.fund(world.user, escrowOf(terms));
      await world.market.connect(world.user).openDeals([terms]);
      deals.push({ ...stage.deal, dealId: await world.market.dealIdOf(terms.owner, terms.dealSalt), terms });
    });

    it("opens nothing under the owner's salt either: a deal id is its owner's", async () => {
      const { terms } = await world.makeTerms([p1, p2], { owner: world.reporter });
      terms.dealSalt = stage.deal.terms.dealSalt;
      await world.signAll(terms, [p1, p2]);
      await world.fund(world.reporter, escrowOf(terms));
      await world.market.connect(world.reporter).openDeals([terms]);
      const dealId = await world.market.dealIdOf(terms.owner, terms.dealSalt);
      expect(dealId).not.to.equal(stage.deal.dealId);
      deals.push({ ...stage.deal, dealId, terms });
    });

    it("fills nothing: refills are the owner's, reservations their holder's, hand-overs the slot holder's", async () => {
      const { deal } = stage;
      await lose(deal, p1, 0);
      const { offer, refill } = await world.refillOffer(deal, 0, p4);
      const thief = world.signer(14);
      await refusedByMarket(world.market.connect(thief).refill(deal.dealId, 0, offer, refill), "NotAuthorized");
      await refusedByMarket(world.market.connect(p2.operator).handOver(deal.dealId, 0, offer, refill), "WrongSlotStatus");
      await world.repair.connect(world.reporter).reserve(deal.dealId, [0]);
      await expect(world.repair.connect(thief).fill(deal.dealId, 0, offer, refill, [])).to.be.revertedWithCustomError(
        world.repair,
        "NotAuthorized",
      );
      await world.market.connect(world.user).refill(deal.dealId, 0, offer, refill);
      expect((await world.market.slot(deal.dealId, 0)).providerId).to.equal(BigInt(p4.providerId));
    });

    it("is too late when the signed transaction itself is copied: it does what its signer wanted, once", async () => {
      const { terms } = await world.makeTerms([p1, p2], { payer: world.reporter });
      const consent = await signOpenDeal(world, terms, world.user);
      await world.fund(world.reporter, escrowOf(terms));
      await refusedByMarket(world.market.connect(world.signer(14)).openDealWithSig(terms, escrowOf(terms), FAR, consent), "NotAuthorized");
      await world.market.connect(world.reporter).openDealWithSig(terms, escrowOf(terms), FAR, consent);
      deals.push({ ...stage.deal, dealId: await world.market.dealIdOf(terms.owner, terms.dealSalt), terms });
    });

    it("one provider that withdraws its collateral spoils that opening only: nothing is taken or locked", async () => {
      const poor = await world.addProvider(5, COLLATERAL);
      const { terms } = await world.makeTerms([p1, poor]);
      await world.registry.connect(poor.owner).startUnbonding(poor.providerId, COLLATERAL);
      await networkHelpers.time.increase(1_000n);
      await world.registry.connect(poor.owner).withdrawCollateral(poor.providerId);
      await world.fund(world.user, escrowOf(terms));
      terms.startBy = (await world.period()) + 5;
      await world.signAll(terms, [p1, poor]);
      await expect(world.market.connect(world.user).openDeals([terms])).to.be.revertedWithCustomError(
        world.proofs,
        "InsufficientCollateral",
      );
      expect((await world.registry.getProvider(p1.providerId)).lockedWei).to.equal(COLLATERAL);
    });
  });

  describe("with calls that anyone may send", () => {
    it("settling after every period takes as much as settling once", async () => {
      await world.policy.connect(world.timelock).setParams({ ...PARAMS, protocolFeeBps: 199 });
      const [often, once] = [
        await open({ payPerPeriodWei: PAY + GWEI, periods: 4 }),
        await open({ payPerPeriodWei: PAY + GWEI, periods: 4 }, [p3, p4]),
      ];
      for (let at = 0; at < 4; at += 1) {
        await world.pass(p1, p2, p3, p4);
        for (let again = 0; again < 2; again += 1) await world.market.connect(world.reporter).settle(often.dealId, [0, 1, 0]);
      }
      await world.settleAll(often);
      await world.settleAll(once);
      const credit = await world.market.creditOf(p1.owner);
      expect([credit, await world.market.creditOf(p3.owner)]).to.deep.equal([
        await world.market.creditOf(p2.owner),
        await world.market.creditOf(p4.owner),
      ]);
      expect(credit).to.equal(await world.market.creditOf(p4.owner));
    });

    it("opening the reports of every period puts a report off by its blocks, once a period", async () => {
      const { deal } = stage;
      const start = await world.period();
      for (let at = 0; at < 2; at += 1) await world.pass(p2, p3);
      const report = () => world.proofs.connect(world.reporter).reportMiss(p1.providerId, start, deal.dealId, 0);
      await world.openReports();
      await world.next();
      await world.proofs.connect(world.signer(14)).openReports();
      await expect(report()).to.be.revertedWithCustomError(world.proofs, "ReportsNotOpen");
      const { blockNumber } = await world.proofs.reportsOpen();
      // Again in the same period: the blocks go on counting.
      await world.proofs.connect(world.signer(14)).openReports();
      expect((await world.proofs.reportsOpen()).blockNumber).to.equal(blockNumber);
      await networkHelpers.mine(REPORT_DELAY_BLOCKS, { interval: 0 });
      await report();
    });

    it("questions that are answered cost who asks the bond, and the provider nothing", async () => {
      const { deal } = stage;
      const before = await world.token.balanceOf(world.reporter);
      const collateral = await world.registry.collateralOf(p1.providerId);
      for (let at = 1n; at <= 3n; at += 1n) {
        await world.challenges.connect(world.reporter).open(deal.dealId, 0);
        await world.submitRound((await world.challenges.challengeOf(deal.dealId, 0)).round);
        const leaves = await world.challenges.leavesOf(deal.dealId, 0);
        await world.challenges.answer(deal.dealId, 0, world.leafProofs(deal.dealId, 0, leaves));
        expect(await world.challenges.creditOf(p1.owner)).to.equal(at * CHALLENGE_BOND_WEI);
      }
      expect(before - (await world.token.balanceOf(world.reporter))).to.equal(3n * CHALLENGE_BOND_WEI);
      expect(await world.registry.collateralOf(p1.providerId)).to.equal(collateral);
    });
  });
});
