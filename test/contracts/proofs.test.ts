/** PossessionProofs: proving, missing, void periods, the line, the tiers as they come together. */
import { expect } from "chai";
import { getBytes, hexlify } from "ethers";
import { networkHelpers } from "../support/contracts/chain.ts";
import { GWEI } from "../support/contracts/parameters.ts";
import { plantLine, plantProven } from "../support/contracts/planted.ts";
import { deploySlots, Slots } from "../support/contracts/slots.ts";
import type { OpenedDeal, SampleStruct, TestProvider, World } from "../support/contracts/world.ts";

describe("PossessionProofs", () => {
  let slots: Slots;
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;
  let deal: OpenedDeal;
  let start: number;

  const fixture = () => deploySlots(2);
  beforeEach(async () => {
    slots = await Slots.load(fixture);
    ({ world, deal, start } = slots);
    [p1, p2, p3] = slots.providers;
  });

  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.proofs, error);
  const prove = (provider: TestProvider, period: number, samples: SampleStruct[]) =>
    world.proofs.prove(provider.providerId, period, samples);
  const seeded = async (): Promise<{ period: number; samples: SampleStruct[] }> => {
    const period = (await world.next()) - 1;
    await world.seed(period);
    return { period, samples: await world.samples(p1.providerId, period) };
  };
  const missed = async (provider: TestProvider, periods: number, others: readonly TestProvider[] = []): Promise<void> => {
    for (let at = 0; at < periods; at += 1) await world.pass(...others);
    await world.next();
    void provider;
  };

  describe("proving", () => {
    it("P1: is accepted in the next period only, once", async () => {
      const { period, samples } = await seeded();
      await refused(prove(p1, period - 1, samples), "WrongPeriod");
      await refused(prove(p1, period + 1, samples), "WrongPeriod");
      await prove(p1, period, samples);
      await refused(prove(p1, period, samples), "AlreadyProven");
      const next = await world.next();
      await refused(prove(p1, next - 2, samples), "WrongPeriod");
    });

    it("needs the seed, from a beacon that came in time", async () => {
      const { samples } = await seeded();
      const period = (await world.next()) - 1;
      await refused(prove(p1, period, samples), "SeedUnavailable");
    });

    it("takes the beacon along", async () => {
      const period = (await world.next()) - 1;
      const round = await world.proofs.seedRound(period);
      await networkHelpers.time.increaseTo(await world.beacon.timeOfRound(round));
      const { signature } = world.group.sign(round);
      const snapshot = await networkHelpers.takeSnapshot();
      await world.beacon.submit(round, signature);
      const samples = await world.samples(p1.providerId, period);
      await snapshot.restore();
      await world.proofs.proveWithBeacon(p1.providerId, period, samples, round, signature);
      expect(await world.proofs.isProven(p1.providerId, period)).to.equal(true);
    });

    it("refuses too few, too many, swapped, foreign and unknown samples", async () => {
      const { period, samples } = await seeded();
      await refused(prove(p1, period, samples.slice(0, -1)), "WrongSampleCount");
      await refused(prove(p1, period, [...samples, ...samples.slice(0, 1)]), "WrongSampleCount");
      const [one] = samples;
      if (one === undefined) throw new Error("no sample");
      await refused(prove(p1, period, [{ ...one, slotIndex: 1 }, ...samples.slice(1)]), "NotTheProvidersSlot");
      await refused(prove(p2, period, samples), "NotTheProvidersSlot");
    });

    it("refuses another slot of the same provider that does not hold the point", async () => {
      const other = await world.open([p1, p2]);
      await world.pass(p1, p2);
      const { period, samples } = await seeded();
      const at = samples.findIndex(({ dealId }) => dealId !== other.dealId);
      const elsewhere = at >= 0 ? other.dealId : deal.dealId;
      const swapped = samples.map((sample, i) => (i === Math.max(at, 0) ? { ...sample, dealId: elsewhere } : sample));
      await refused(prove(p1, period, swapped), "PointOutsideSlot");
      await prove(p1, period, samples);
    });

    it("refuses a changed leaf, a changed sibling, a shorter and a longer path, and a live slot called a hole", async () => {
      const { period, samples } = await seeded();
      const [one, ...rest] = samples;
      if (one === undefined) throw new Error("no sample");
      const proof = getBytes(one.proof as string);
      const attempt = (bytes: Uint8Array) => prove(p1, period, [{ ...one, proof: hexlify(bytes) }, ...rest]);
      for (const at of [0, 63, 64, proof.length - 1]) {
        const changed = proof.slice();
        changed[at] = (changed[at] ?? 0) ^ 1;
        await refused(attempt(changed), "InvalidProof");
      }
      await refused(attempt(proof.slice(0, -32)), "InvalidProofLength");
      await refused(attempt(new Uint8Array([...proof, ...new Uint8Array(32)])), "InvalidProofLength");
      await refused(attempt(new Uint8Array()), "SlotIsLive");
    });

    it("asks nothing of a provider without an inventory", async () => {
      const { period } = await seeded();
      await refused(prove(p3, period, []), "EmptyInventory");
    });

    it("P2: keeps the length of the closed period when slots are added after it", async () => {
      await world.next();
      const before = await world.proofs.lengthAt(p1.providerId, start);
      await world.open([p1, p2]);
      expect(await world.proofs.lengthAt(p1.providerId, start)).to.equal(before);
      await world.prove(p1.providerId, start);
      expect((await world.proofs.inventory(p1.providerId)).lengthGwei).to.equal(2n * before);
    });

    it("redraws holes, which must be named and cannot be claimed for a live slot", async () => {
      const other = await world.open([p1, p2]);
      await world.market.connect(world.user).terminate(other.dealId);
      await world.pass(p1, p2);
      for (let at = 0; at < 4; at += 1) await world.pass(p1, p2);
      const { period, samples } = await seeded();
      const hole = samples.findIndex(({ proof }) => proof === "0x");
      if (hole >= 0) {
        const claimed = samples.map((sample, at) => (at === hole ? { ...sample, proof: `0x${"00".repeat(64 + 5 * 32)}` } : sample));
        await refused(prove(p1, period, claimed), "SlotIsAHole");
      }
      await prove(p1, period, samples);
    });

    it("P7: takes no slot that would make the line longer than its 2^48 gwei", async () => {
      const payGwei = 10n ** 6n;
      await plantLine(world, { providerId: p1.providerId, lengthGwei: 2n ** 48n - 1n - payGwei, lockedGwei: 1n });
      const { terms } = await world.makeTerms([p1, p2], { payPerPeriodWei: (payGwei + 1n) * GWEI });
      await world.fund(world.user, 10n ** 19n);
      await refused(world.market.connect(world.user).openDeals([terms]), "LineIsFull");
    });

    it("is over for an evicted provider", async () => {
      await missed(p2, 4, [p1]);
      await world.next();
      for (let period = start; period < start + 4; period += 1) await world.report(p2.providerId, period, deal.dealId, 1);
      await refused(prove(p2, (await world.period()) - 1, []), "ProviderGone");
    });
  });

  describe("missing", () => {
    it("P3: is reported from p+2 on, in order, once, and never for a proven or void period", async () => {
      const report = (period: number, slotIndex = 1) =>
        world.proofs.connect(world.reporter).reportMiss(p2.providerId, period, deal.dealId, slotIndex);
      await world.pass(p1);
      await refused(report(start), "WrongPeriod");
      await world.pass(p1, p2);
      await world.next();
      await world.next();
      await world.openReports();
      await refused(report(start + 1), "AlreadyProven");
      await refused(report(start + 2), "PeriodIsVoid");
      await refused(report(start, 0), "NotTheProvidersSlot");
      await report(start);
      await refused(report(start), "WrongPeriod");
    });

    it("needs the earlier miss first", async () => {
      await missed(p2, 3, [p1]);
      await world.openReports();
      await refused(world.proofs.reportMiss(p2.providerId, start + 1, deal.dealId, 1), "OutOfOrder");
    });

    it("needs a slot that was live in the period", async () => {
      await world.pass(p1, p2);
      const late = await world.open([p2, p1]);
      await world.pass(p1, p2);
      await world.pass(p1);
      await world.next();
      await world.openReports();
      await refused(world.proofs.reportMiss(p2.providerId, start, late.dealId, 0), "AlreadyProven");
      await world.report(p2.providerId, start + 2, late.dealId, 0);
    });

    it("owes nothing of a slot it had lost, not even once that slot was closed", async () => {
      const short = await world.open([p1, p2], { periods: 4 });
      const lostIn = await world.pass(p1);
      await world.market.connect(p1.owner).declareLost(short.dealId, 0);
      const { end } = await world.market.deal(short.dealId);
      while ((await world.period()) < Number(end)) await world.pass(p2);
      await world.settleAll(short);
      expect((await world.market.slot(short.dealId, 0)).status).to.equal(3n);
      const owed = await world.market.slotForProof(short.dealId, 0, p1.providerId);
      expect(owed.untilPeriod).to.equal(BigInt(lostIn));
      await refused(world.report(p1.providerId, lostIn, short.dealId, 0), "NotLive");
    });

    it("is too old to be reported after the window", async () => {
      for (let at = 0; at < 8; at += 1) await world.pass(p1);
      await refused(world.proofs.reportMiss(p2.providerId, start, deal.dealId, 1), "WrongPeriod");
      expect(await world.proofs.finalBefore(p2.providerId)).to.be.greaterThan(BigInt(start));
    });

    it("warns first, then takes shares that grow, then everything; owners, fund and reporter get it to the wei (P5, Y2)", async () => {
      await missed(p2, 4, [p1]);
      await world.next();
      const collateral = 1_000n * 10n ** 18n;
      const taken: bigint[] = [];
      for (let period = start; period < start + 4; period += 1) {
        const before = await world.registry.collateralOf(p2.providerId);
        const [fund, unclaimed, reporter] = await Promise.all([
          world.market.repairFundWei(),
          world.market.unclaimedWei(),
          world.market.creditOf(world.reporter),
        ]);
        await world.report(p2.providerId, period, deal.dealId, 1);
        const slash = before - (await world.registry.collateralOf(p2.providerId));
        taken.push(slash);
        const parts =
          (await world.market.repairFundWei()) -
          fund +
          (await world.market.unclaimedWei()) -
          unclaimed +
          (await world.market.creditOf(world.reporter)) -
          reporter;
        expect(parts).to.equal(slash);
        expect(((await world.market.creditOf(world.reporter)) - reporter) * 20n).to.be.lessThanOrEqual(slash);
        expect(((await world.market.repairFundWei()) - fund) * 10n).to.be.greaterThanOrEqual(slash * 4n);
      }
      expect(taken).to.deep.equal([0n, collateral / 10n, (collateral * 15n) / 100n, (collateral * 75n) / 100n]);
      expect(await world.registry.evictedAtPeriod(p2.providerId)).to.equal(start + 3);
    });

    it("ends the incident with a proven period, and counts the next one against the provider", async () => {
      await world.pass(p1);
      await world.pass(p1, p2);
      await world.pass(p1);
      await world.next();
      await world.next();
      await world.report(p2.providerId, start, deal.dealId, 1);
      await world.report(p2.providerId, start + 2, deal.dealId, 1);
      const { incidentMisses, incidents } = await world.proofs.penaltyRecord(p2.providerId);
      expect([incidentMisses, incidents]).to.deep.equal([1n, 2n]);
      expect(await world.registry.collateralOf(p2.providerId)).to.be.lessThan(1_000n * 10n ** 18n);
    });

    it("looks back no further than 4096 periods for what was proven since an incident", async () => {
      await missed(p2, 1, [p1]);
      await world.report(p2.providerId, start, deal.dealId, 1);
      const long = await world.open([p1, p2], { periods: 6_000 });
      // All that lies between is proven, but for the last period of the last word.
      const [firstWord, lastWord] = [(start >> 8) + 1, (start + 4_500) >> 8];
      for (let word = firstWord; word < lastWord; word += 1) await plantProven(world, p2.providerId, word, 2n ** 256n - 1n);
      await plantProven(world, p2.providerId, lastWord, 2n ** 255n - 1n);
      const last = 256 * lastWord + 255;
      await world.enter(last + 1);
      await world.seed(last);
      await world.enter(last + 2);
      expect(await world.proofs.finalBefore(p2.providerId)).to.equal(BigInt(last));
      await world.report(p2.providerId, last, long.dealId, 1);
      const [misses, incidents] = await world.proofs.penaltyRecord(p2.providerId);
      expect([misses, incidents]).to.deep.equal([1n, 1n]);
    });

    it("is final behind proven periods of several words of the bitmap", async () => {
      const word = (start >> 8) + 1;
      await world.open([p1, p2], { periods: 6_000 });
      await plantProven(world, p2.providerId, word, 2n ** 256n - 1n);
      await plantProven(world, p2.providerId, word + 1, 1n);
      await world.enter(256 * (word + 1));
      expect(await world.proofs.finalBefore(p2.providerId)).to.equal(256n * BigInt(word + 1));
      await world.enter(256 * (word + 1) + 1);
      expect(await world.proofs.finalBefore(p2.providerId)).to.equal(256n * BigInt(word + 1) + 1n);
    });

    it("one incident goes on across void periods", async () => {
      await world.pass(p1);
      await world.next();
      await world.pass(p1);
      await world.next();
      await world.next();
      await world.report(p2.providerId, start, deal.dealId, 1);
      expect(await world.proofs.isVoid(start + 1)).to.equal(true);
      await world.report(p2.providerId, start + 2, deal.dealId, 1);
      expect((await world.proofs.penaltyRecord(p2.providerId)).incidentMisses).to.equal(2n);
    });
  });

  describe("void periods", () => {
    it("are marked by anybody once the beacon is overdue, and not before", async () => {
      const period = (await world.next()) - 1;
      await refused(world.proofs.voidPeriod(period), "WrongPeriod");
      await world.next();
      await world.proofs.voidPeriod(period);
      await world.proofs.voidPeriod(period);
      expect(await world.proofs.isVoid(period)).to.equal(true);
    });

    it("are none when the beacon came", async () => {
      await world.pass(p1, p2);
      await world.next();
      await refused(world.proofs.voidPeriod(start), "SeedAvailable");
    });
  });

  it("lets nobody but the market change inventories", async () => {
    await refused(world.proofs.append(1, 1, 1, 1, 1), "NotAuthorized");
    await refused(world.proofs.remove(1, 1, 0, 0, 0), "NotAuthorized");
  });

  it("counts periods from 1 at its genesis", async () => {
    const genesis = await world.proofs.genesisTime();
    expect(await world.proofs.periodOf(genesis)).to.equal(1n);
    const [open, close] = await world.proofs.periodBounds(1);
    expect([open, close - open]).to.deep.equal([genesis, await world.proofs.periodSeconds()]);
    await refused(world.proofs.periodOf(genesis - 1n), "BeforeGenesis");
  });
});
