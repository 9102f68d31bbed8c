/** What a provider's line and books remember of slots it no longer holds, and what they must not. */
import { REFILL_SLOT_TYPES } from "@ppio/core";
import { expect } from "chai";
import { networkHelpers } from "../support/contracts/chain.ts";
import { FAR } from "../support/contracts/parameters.ts";
import { deploySlots, NET, Slots } from "../support/contracts/slots.ts";
import type { OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

describe("Slots that were held before", () => {
  let slots: Slots;
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;
  let fresh: TestProvider;
  let deal: OpenedDeal;

  const fixture = () => deploySlots(3);
  beforeEach(async () => {
    slots = await Slots.load(fixture);
    ({ world, deal } = slots);
    [p1, p2, p3, fresh] = slots.providers;
  });
  afterEach(() => slots.checkBooks());

  const compact = async (provider: TestProvider, kept: readonly OpenedDeal[]) =>
    world.proofs.connect(provider.operator).compact(
      provider.providerId,
      await world.period(),
      kept.map(({ dealId }) => ({ dealId, slotIndex: 0 })),
    );
  const serviceSlash = (provider: TestProvider) => world.proofs.connect(world.committee).slashForService(provider.providerId, 200);

  it("M4: come back to a provider only once its old interval was settled and compacted away", async () => {
    const heldBefore = async () => expect(slots.handOver(fresh, 0, p1)).to.be.revertedWithCustomError(world.market, "HeldBefore");
    await world.pass(p1, p2, p3);
    await slots.handOver(p1, 0, fresh);
    await heldBefore();
    await world.pass(p1, p2, p3);
    await heldBefore();
    await compact(p1, [deal]);
    await heldBefore();
    await world.market.settleTenure(deal.dealId, 0, p1.providerId);
    await slots.handOver(fresh, 0, p1);
    expect((await world.market.pastTenure(deal.dealId, 0, p1.providerId)).payGwei).to.equal(0n);
    await world.pass(fresh, p2, p3);
    await world.pass(p1, p2, p3);
    await world.settleAll(deal);
    await world.market.settleTenure(deal.dealId, 0, fresh.providerId);
    expect(await world.market.creditOf(p1.owner)).to.equal(3n * NET);
    expect(await world.market.creditOf(fresh.owner)).to.equal(NET);
    expect(await world.market.creditOf(world.user)).to.equal(0n);
  });

  it("are not given to it by an offer, or a consent of the owner, that gave them once: it may have lost the bytes since", async () => {
    const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.market, error);
    await slots.lose(p1);
    const { offer, refill } = await world.refillOffer(deal, 0, fresh);
    const far = { ...refill, startBy: refill.startBy + 20, periods: refill.periods - 20 };
    Object.assign(offer, await world.signOffer({ ...deal.terms, ...far }, 0, offer, fresh.operator));
    const { fromPeriod: vacantFrom } = await world.market.slot(deal.dealId, 0);
    const { providerId } = fresh;
    const message = { dealId: deal.dealId, slotIndex: 0, vacantFrom, providerId, collateralWei: offer.collateralWei, deadline: FAR };
    const consent = await world.user.signTypedData(await world.domain(), REFILL_SLOT_TYPES, message);
    const refillWithSig = (of: typeof offer) => world.market.refillWithSig(deal.dealId, 0, of, far, FAR, consent);
    await refillWithSig(offer);
    await world.pass(p2, p3);
    await slots.lose(fresh);
    await world.pass(p2, p3);
    await world.market.settleTenure(deal.dealId, 0, fresh.providerId);
    await compact(fresh, [deal]);

    await refused(world.market.connect(world.user).refill(deal.dealId, 0, offer, far), "OfferUsed");
    const another = { ...offer, expiry: FAR - 1n };
    Object.assign(another, await world.signOffer({ ...deal.terms, ...far }, 0, another, fresh.operator));
    await refused(refillWithSig(another), "InvalidOwnerSignature");
    await world.market.connect(world.user).refill(deal.dealId, 0, another, far);
  });

  it("are not the last holder's again when they close while nobody holds them", async () => {
    const lost = await slots.open([p1, p2], { periods: 4 });
    await world.pass(p1, p2, p3);
    await slots.lose(p1, 0, lost);
    const since = await world.period();
    await world.pass(p1, p2, p3);
    await world.pass(p1, p2, p3);
    const last = (await world.pass(p2, p3)) - 1;
    await world.settleAll(lost);
    const slot = await world.market.slot(lost.dealId, 0);
    expect([slot.status, slot.providerId]).to.deep.equal([3n, 0n]);

    const { fromPeriod, untilPeriod } = await world.market.slotForProof(lost.dealId, 0, p1.providerId);
    expect([fromPeriod, untilPeriod]).to.deep.equal([BigInt(since - 1), BigInt(since)]);
    await world.pass(p1, p2, p3);
    await world.openReports();
    const report = (of: OpenedDeal) => world.proofs.connect(world.reporter).reportMiss(p1.providerId, last, of.dealId, 0);
    await expect(report(lost)).to.be.revertedWithCustomError(world.proofs, "NotLive");
    await report(deal);
  });

  it("stay off the line when they close after it was compacted", async () => {
    const lost = await slots.open([p1, p2], { periods: 4 });
    await world.pass(p1, p2, p3);
    await slots.lose(p1, 0, lost);
    await world.pass(p1, p2, p3);
    await world.pass(p1, p2, p3);
    await compact(p1, [deal, lost]);
    await world.pass(p1, p2, p3);
    await world.settleAll(lost);
    const { startGwei } = await world.market.slotForProof(lost.dealId, 0, p1.providerId);
    expect(startGwei).to.equal(await world.proofs.OFF_LINE_GWEI());
    const next = await slots.open([p1, p2]);
    await world.pass(p1, p2, p3);
    await compact(p1, [deal, next]);
    await world.pass(p1, p2, p3);
  });

  it("M3: owe the running period when they begin in it, though another begins in the next", async () => {
    await slots.lose(p1);
    await slots.refill(0, fresh);
    const period = await world.period();
    const opened = await slots.open([fresh, p2]);
    await world.settleAll(opened);
    expect((await world.market.slot(opened.dealId, 0)).settledTo).to.equal(BigInt(period));
    await world.pass(fresh, p2, p3);
    await world.settleAll(opened);
    expect(await world.market.creditOf(fresh.owner)).to.equal(NET);
    // And misses of it are in order.
    await world.pass(p2, p3);
    await world.pass(p2, p3);
    await world.report(fresh.providerId, period + 1, deal.dealId, 0);
  });

  it("P5: share no slash from before they were appended, and settle whatever came in between", async () => {
    await slots.lose(p1);
    await slots.refill(0, fresh);
    await serviceSlash(fresh);
    const opened = await slots.open([fresh, p2]);
    await networkHelpers.time.increase(8 * 86_400);
    await serviceSlash(fresh);
    await world.market.connect(world.user).terminate(opened.dealId);
    await world.market.connect(world.user).terminate(deal.dealId);
    await networkHelpers.time.increase(1_000);
    for (const each of slots.deals) await world.settleAll(each);
    await world.market.settleTenure(deal.dealId, 0, p1.providerId);
    for (const { dealId } of slots.deals) expect((await world.market.deal(dealId)).openSlots).to.equal(0n);
    expect(await world.market.unclaimedWei()).to.equal(0n);
  });
});
