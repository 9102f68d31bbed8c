/** Closing holes of a provider's line: IPossessionProofs.compact. */
import { expect } from "chai";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import type { DealOptions, OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const BIG = 10n ** 18n;
const SMALL = 10n ** 12n;

describe("Compacting a line", () => {
  let world: World;
  let providers: TestProvider[];
  let first: TestProvider;

  const open = (options: DealOptions = {}): Promise<OpenedDeal> => world.open(providers, { payPerPeriodWei: SMALL, ...options });
  const ref = (deal: OpenedDeal) => ({ dealId: deal.dealId, slotIndex: 0 });
  const compact = async (deals: readonly OpenedDeal[], signer = first.operator) =>
    world.proofs.connect(signer).compact(first.providerId, await world.period(), deals.map(ref));
  const startOf = async (deal: OpenedDeal): Promise<bigint> =>
    (await world.market.slotForProof(deal.dealId, 0, first.providerId)).startGwei;

  beforeEach(async () => {
    world = await deployWorld();
    providers = [await world.addProvider(0), await world.addProvider(1)];
    [first] = providers as [TestProvider];
  });

  it("lets nobody but the provider's owner and operator do it, and only in the period they name", async () => {
    const deal = await open();
    await expect(compact([deal], world.reporter)).to.be.revertedWithCustomError(world.proofs, "NotAuthorized");
    await expect(world.proofs.connect(first.operator).compact(first.providerId, 1, [ref(deal)])).to.be.revertedWithCustomError(
      world.proofs,
      "WrongPeriod",
    );
    await compact([deal], first.owner);
  });

  it("refuses intervals out of order, left out, named twice or of another provider", async () => {
    const [a, b, c] = [await open(), await open(), await open()];
    const order = (deals: OpenedDeal[]) => expect(compact(deals)).to.be.revertedWithCustomError(world.proofs, "NotNextOnLine");
    await order([b, a]);
    await order([a, c]);
    await order([a, a]);
    const other = { dealId: a.dealId, slotIndex: 1 };
    await expect(
      world.proofs.connect(first.operator).compact(first.providerId, await world.period(), [other]),
    ).to.be.revertedWithCustomError(world.proofs, "NotTheProvidersSlot");
  });

  it("P6: never drops or overlaps a live interval", async () => {
    const deals = [await open(), await open({ payPerPeriodWei: 3n * SMALL }), await open()];
    const before = await Promise.all(deals.map(startOf));
    await compact(deals);
    expect(await Promise.all(deals.map(startOf))).to.deep.equal(before);
    expect((await world.proofs.inventory(first.providerId)).lengthGwei).to.equal((5n * SMALL) / 10n ** 9n);
  });

  it("makes a line provable again that was nearly all holes", async () => {
    const big = await open({ payPerPeriodWei: BIG });
    const small = await open();
    await world.market.connect(world.user).terminate(big.dealId);
    await world.pass(...providers);
    expect(await startOf(small)).to.equal(BIG / 10n ** 9n);
    await compact([big, small]);
    expect(await startOf(small)).to.equal(0n);
    expect(await startOf(big)).to.equal(await world.proofs.OFF_LINE_GWEI());
    expect((await world.proofs.inventory(first.providerId)).lengthGwei).to.equal(SMALL / 10n ** 9n);
    await world.next();
    await world.prove(first.providerId, (await world.period()) - 1);
  });

  it("without it such a line cannot be proven", async () => {
    const big = await open({ payPerPeriodWei: BIG });
    await open();
    await world.market.connect(world.user).terminate(big.dealId);
    await world.pass(...providers);
    const period = await world.next();
    await world.seed(period - 1);
    const samples = Array.from({ length: 257 }, () => ({ ...ref(big), proof: "0x" }));
    await expect(world.proofs.prove(first.providerId, period - 1, samples)).to.be.revertedWithCustomError(world.proofs, "TooManyDraws");
  });

  it("forfeits the period before: positions never change under a known seed", async () => {
    const deals = [await open(), await open()];
    const period = await world.next();
    await world.seed(period - 1);
    await compact(deals);
    await expect(
      world.proofs.prove(first.providerId, period - 1, await world.samples(first.providerId, period - 1)),
    ).to.be.revertedWithCustomError(world.proofs, "ForfeitedByCompaction");
    await world.next();
    await world.prove(first.providerId, period);
  });

  it("works in parts: draws skip the gap, new intervals go to the end, the last part shortens the line", async () => {
    const deals = [await open(), await open(), await open(), await open()];
    const [a, b, c, d] = deals as [OpenedDeal, OpenedDeal, OpenedDeal, OpenedDeal];
    await world.market.connect(world.user).terminate(a.dealId);
    await world.pass(...providers);
    await compact([a, b]);
    const { gapStartGwei, gapEndGwei } = await world.proofs.compactionOf(first.providerId);
    expect([gapStartGwei, gapEndGwei]).to.deep.equal([SMALL / 10n ** 9n, (2n * SMALL) / 10n ** 9n]);
    const e = await open();
    await world.pass(...providers);
    await expect(compact([d])).to.be.revertedWithCustomError(world.proofs, "NotNextOnLine");
    await compact([c, d, e]);
    expect(await Promise.all([b, c, d, e].map(startOf))).to.deep.equal([0n, 1n, 2n, 3n].map((at) => (at * SMALL) / 10n ** 9n));
    expect((await world.proofs.inventory(first.providerId)).lengthGwei).to.equal((4n * SMALL) / 10n ** 9n);
    await world.pass(...providers);
  });

  it("pays and settles a dropped interval's slot as any other", async () => {
    const deal = await open();
    const kept = await open();
    await world.market.connect(world.user).terminate(deal.dealId);
    await world.pass(...providers);
    await compact([deal, kept]);
    await world.pass(...providers);
    const before = await world.market.creditOf(first.owner);
    await world.settleAll(deal);
    expect(await world.market.creditOf(first.owner)).to.equal(before + SMALL - (SMALL * 2n) / 100n);
    expect((await world.market.deal(deal.dealId)).openSlots).to.equal(0n);
  });

  it("is over for an evicted provider", async () => {
    const deal = await open({ periods: 20 });
    for (let miss = 0; miss < 4; miss += 1) {
      const period = await world.next();
      await world.seed(period - 1);
    }
    await world.next();
    const current = await world.next();
    for (let period = current - 6; period <= current - 2; period += 1) {
      if (period >= 2 && (await world.market.deal(deal.dealId)).start <= BigInt(period)) {
        await world.report(first.providerId, period, deal.dealId, 0).catch(() => undefined);
      }
    }
    expect(await world.registry.evictedAtPeriod(first.providerId)).to.not.equal(0n);
    await expect(compact([deal])).to.be.revertedWithCustomError(world.proofs, "ProviderGone");
  });
});
