/** Chains that stand still: voidHaltedPeriod, openReports; and bounds of what the committee may take. */
import { expect } from "chai";
import { keccak256, ZeroHash } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { type Header, headerOf } from "../support/contracts/headers.ts";
import { PERIOD_SECONDS, REPORT_DELAY_BLOCKS } from "../support/contracts/parameters.ts";
import { deploySlots, NET, PAY, Slots } from "../support/contracts/slots.ts";
import type { OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const HALF = PERIOD_SECONDS / 2n;
const DAY_SECONDS = 86_400n;

describe("Periods in which the chain stood still", () => {
  let slots: Slots;
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let deal: OpenedDeal;
  let start: number;

  const fixture = () => deploySlots(2);
  beforeEach(async () => {
    slots = await Slots.load(fixture);
    ({ world, deal, start } = slots);
    [p1, p2] = slots.providers;
  });
  afterEach(() => slots.checkBooks());

  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.proofs, error);
  const closeOf = async (period: number): Promise<bigint> => (await world.proofs.periodBounds(period)).close;
  /** Mines a block at `from` and the next at `to`; what stands between them is the halt. */
  const halt = async (from: bigint, to: bigint): Promise<[Header, Header]> => {
    await networkHelpers.time.increaseTo(from);
    const number = await ethers.provider.getBlockNumber();
    await networkHelpers.time.increaseTo(to);
    return [await headerOf(number), await headerOf(number + 1)];
  };
  const voided = (period: number, [parent, child]: readonly [Header, Header]) =>
    world.proofs.connect(world.signer(17)).voidHaltedPeriod(period, parent.rlp, child.rlp);
  /** A halt of `seconds` in the time to prove `start`, for which the beacon had come before it. */
  const haltedFor = async (seconds: bigint): Promise<[Header, Header]> => {
    await world.next();
    await world.seed(start);
    const from = BigInt(await networkHelpers.time.latest()) + 1n;
    return halt(from, from + seconds);
  };

  it("are shown by headers that hash to what the chain says", async () => {
    const number = await ethers.provider.getBlockNumber();
    for (const at of [number, number - 1, number - 20]) {
      const { hash, rlp } = await headerOf(at);
      expect(hash).to.equal((await ethers.provider.getBlock(at))?.hash);
      expect(keccak256(rlp)).to.equal(hash);
    }
  });

  it("are none before the time to prove is over", async () => {
    const headers = await haltedFor(HALF + 1n);
    await refused(voided(start, headers), "WrongPeriod");
    await world.next();
    await voided(start, headers);
  });

  it("are none when half of the time or less was left out", async () => {
    const headers = await haltedFor(HALF);
    await world.next();
    await refused(voided(start, headers), "NotAHalt");
    expect(await world.proofs.isVoid(start)).to.equal(false);
  });

  it("count only what of the halt lay in the time to prove", async () => {
    const close = await closeOf(start);
    await world.next();
    await world.seed(start);
    // Too long a halt, but only half of it before the next close.
    const headers = await halt(close + HALF, close + PERIOD_SECONDS + HALF + 10n);
    await refused(voided(start, headers), "NotAHalt");
    await refused(voided(start + 1, headers), "WrongPeriod");
    await world.next();
    // The other part lies in the time to prove the next period: more than half of it.
    await voided(start + 1, headers);
    await refused(voided(start + 2, headers), "WrongPeriod");
    await refused(voided(start - 1, headers), "NotAHalt");
  });

  it("are none by headers that are foreign, changed, too new, or not next to each other", async () => {
    const [parent, child] = await haltedFor(HALF + 10n);
    await world.next();
    const number = await ethers.provider.getBlockNumber();
    const later = await headerOf(number);
    await refused(voided(start, [parent, later]), "InvalidHeader");
    await refused(voided(start, [child, parent]), "InvalidHeader");
    await refused(voided(start, [child, child]), "InvalidHeader");
    const grandparent = await headerOf(number - 3);
    await refused(voided(start, [grandparent, child]), "InvalidHeader");
    const childNumber = Number((await ethers.provider.getBlock(child.hash))?.number);
    const forged = await headerOf(childNumber, { timestamp: `0x${(child.timestamp + 1n).toString(16)}` });
    await refused(voided(start, [parent, forged]), "InvalidHeader");
    const forgedParent = await headerOf(childNumber - 1, { timestamp: `0x${(parent.timestamp - 1n).toString(16)}` });
    await refused(voided(start, [forgedParent, child]), "InvalidHeader");
    const orphan = await headerOf(childNumber, { parentHash: ZeroHash });
    await refused(voided(start, [parent, orphan]), "InvalidHeader");
    const future = await headerOf(childNumber, { number: `0x${(number + 5).toString(16)}` });
    await refused(voided(start, [parent, future]), "InvalidHeader");
    await voided(start, [parent, child]);
  });

  it("are none once a miss of the period was reported", async () => {
    const headers = await haltedFor(HALF + 1n);
    await world.next();
    await world.next();
    await world.report(p1.providerId, start, deal.dealId, 0);
    await refused(voided(start, headers), "MissAlreadyReported");
  });

  it("M3: pay who had proven, refund the rest, and are nobody's miss", async () => {
    await world.next();
    await world.prove(p1.providerId, start);
    const from = BigInt(await networkHelpers.time.latest()) + 1n;
    const headers = await halt(from, from + HALF + 5n);
    await world.next();
    await expect(voided(start, headers)).to.emit(world.proofs, "PeriodVoided").withArgs(start);
    await voided(start, headers);
    await world.openReports();
    await refused(world.proofs.reportMiss(p2.providerId, start, deal.dealId, 1), "PeriodIsVoid");
    await world.settleAll(deal);
    expect([await world.market.creditOf(p1.owner), await world.market.creditOf(p2.owner)]).to.deep.equal([NET, 0n]);
    expect(await world.market.creditOf(world.user)).to.equal(PAY);
  });

  it("P8: can be shown first: no miss is recorded until enough blocks passed after reports were opened", async () => {
    await world.pass();
    await world.next();
    const report = () => world.proofs.connect(world.reporter).reportMiss(p1.providerId, start, deal.dealId, 0);
    await refused(report(), "ReportsNotOpen");
    await world.proofs.openReports();
    const { period, blockNumber } = await world.proofs.reportsOpen();
    expect(Number(period)).to.equal(await world.period());
    // Opening again in the period changes nothing.
    await world.proofs.openReports();
    expect((await world.proofs.reportsOpen()).blockNumber).to.equal(blockNumber);
    // The call above mined the first of the blocks to wait for; estimates run in the block after the last one.
    for (let passed = 1; passed < REPORT_DELAY_BLOCKS; passed += 1) {
      await refused(report(), "ReportsNotOpen");
      await networkHelpers.mine(1, { interval: 0 });
    }
    await report();
  });

  it("P8: need reports opened in a period from which the missed one is old enough", async () => {
    await world.pass();
    await world.openReports();
    await world.pass();
    await networkHelpers.mine(10, { interval: 0 });
    await refused(world.proofs.reportMiss(p1.providerId, start, deal.dealId, 0), "ReportsNotOpen");
    await world.report(p1.providerId, start, deal.dealId, 0);
  });

  describe("The committee", () => {
    const service = (bps: number, by = world.committee) => world.proofs.connect(by).slashForService(p1.providerId, bps);

    it("P9: takes at most 2 % of a provider's collateral in seven days, and no one else may", async () => {
      await refused(service(100, world.reporter), "NotAuthorized");
      await refused(service(201), "ServiceSlashTooLarge");
      const before = await world.registry.collateralOf(p1.providerId);
      await service(200);
      const taken = (before * 2n) / 100n;
      expect(before - (await world.registry.collateralOf(p1.providerId))).to.equal(taken);
      const [fund, owners] = [(taken * 4n) / 10n, (taken * 6n) / 10n];
      expect([await world.market.repairFundWei(), await world.market.unclaimedWei()]).to.deep.equal([fund, owners]);
      await refused(service(1), "ServiceBudgetSpent");
      await networkHelpers.time.increase(7 * 86_400 - 10);
      await refused(service(1), "ServiceBudgetSpent");
      // The eighth calendar day may still touch the same seven days.
      await networkHelpers.time.increase(86_400 + 10);
      await service(1);
      expect(await world.registry.evictedAtPeriod(p1.providerId)).to.equal(0n);
    });

    it("P9: takes what the week leaves when many bad scores come, whenever they come", async () => {
      const takenBps = async (bps: number): Promise<bigint> => {
        const receipt = await (await service(bps)).wait();
        const found = receipt?.logs.map((log) => world.proofs.interface.parseLog(log)).find((log) => log?.name === "ServiceSlashed");
        return found?.args["bps"] as bigint;
      };
      // At noon: what is taken is counted by calendar days, and the seconds between the calls must not reach into the next one.
      const days = BigInt(await networkHelpers.time.latest()) / DAY_SECONDS;
      await networkHelpers.time.increaseTo((days + 1n) * DAY_SECONDS + DAY_SECONDS / 2n);
      expect(await takenBps(50)).to.equal(50n);
      await networkHelpers.time.increase(86_400);
      expect(await takenBps(50)).to.equal(50n);
      await networkHelpers.time.increase(86_400);
      expect(await takenBps(150)).to.equal(100n);
      await refused(service(50), "ServiceBudgetSpent");
      // What the first took comes free with its day.
      await networkHelpers.time.increase(6 * 86_400);
      expect(await takenBps(200)).to.equal(50n);
      await networkHelpers.time.increase(20 * 86_400);
      expect(await takenBps(200)).to.equal(200n);
    });

    it("M10: is paid at most a hundredth of the repair fund in a period, as it was before", async () => {
      const { market, token } = world;
      await token.connect(world.user).approve(market, 10n ** 18n);
      await token.connect(world.signer(0)).transfer(world.user, 10n ** 18n);
      await market.connect(world.user).donate(10n ** 18n);
      const pay = (amount: bigint) => market.connect(world.committee).payFromRepairFund(world.signer(17), amount);
      const before = await token.balanceOf(world.signer(17));
      const paid = async () => (await token.balanceOf(world.signer(17))) - before;
      await expect(market.connect(world.reporter).payFromRepairFund(world.reporter, 1n)).to.be.revertedWithCustomError(
        market,
        "NotAuthorized",
      );
      await pay(10n ** 15n);
      await pay(10n ** 18n);
      expect(await paid()).to.equal(10n ** 16n);
      await pay(1n);
      expect(await paid()).to.equal(10n ** 16n);
      await world.next();
      await pay(10n ** 18n);
      expect(await paid()).to.equal(10n ** 16n + 99n * 10n ** 14n);
      expect(await market.repairFundWei()).to.equal(10n ** 18n - (await paid()));
    });
  });
});
