/** Renewing a deal at its price: who may, until when, what it costs with slots vacant or evicted, and that it is settled to its new end. */
import { OPEN_DEAL_TYPES, RENEW_DEAL_TYPES } from "@ppio/core";
import { expect } from "chai";
import { id } from "ethers";
import { checkBooks } from "../support/contracts/books.ts";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { evictByLie } from "../support/contracts/lies.ts";
import { FAR, NO_PERMIT } from "../support/contracts/parameters.ts";
import { signPermit } from "../support/contracts/permit.ts";
import type { DealOptions, OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const PAY = 10n ** 15n;
const NET = PAY - (PAY * 2n) / 100n;
const COLLATERAL = 10n ** 18n;
describe("Renewal", () => {
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;
  let p4: TestProvider;
  let deals: OpenedDeal[];
  let start: number;

  const fixture = async () => {
    const made = await deployWorld();
    const all = [await made.addProvider(0), await made.addProvider(1), await made.addProvider(2), await made.addProvider(3)] as const;
    return { made, all };
  };
  beforeEach(async () => {
    const loaded = await networkHelpers.loadFixture(fixture);
    world = loaded.made;
    [p1, p2, p3, p4] = loaded.all;
    start = await world.period();
    deals = [];
  });
  afterEach(() => checkBooks(world, deals));

  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.market, error);
  /** Three slots over [start, start + 4), renewable to start + 10. */
  const open = async (options: DealOptions = {}): Promise<OpenedDeal> => {
    const opened = await world.open([p1, p2, p3], { periods: 4, renewUntil: start + 10, ...options });
    deals.push(opened);
    return opened;
  };
  const renew = (deal: OpenedDeal, newEnd: number, by = world.user) => world.market.connect(by).renew(deal.dealId, newEnd);
  const endOf = async ({ dealId }: OpenedDeal) => Number((await world.market.deal(dealId)).end);
  const sign = async (deal: OpenedDeal, newEnd: number, deadline = FAR, signer = world.user) =>
    signer.signTypedData(await world.domain(), RENEW_DEAL_TYPES, { dealId: deal.dealId, newEnd, deadline });
  const withSig = (deal: OpenedDeal, newEnd: number, signature: string, deadline = FAR, permit: typeof NO_PERMIT = NO_PERMIT) =>
    world.market.connect(world.reporter).renewWithSig(deal.dealId, newEnd, deadline, signature, permit);
  const permitFor = (value: bigint) => signPermit(world.token, world.user, world.market, value);
  const unfunded = async (amount: bigint) => {
    await world.token.connect(world.signer(0)).transfer(world.user, amount);
    await world.token.connect(world.user).approve(world.market, 0n);
  };

  it("is refused from all but the payer, beyond what providers agreed to, backwards, and of no deal", async () => {
    const deal = await open();
    await world.fund(world.user, 10n ** 18n);
    for (const other of [world.reporter, p1.owner, p1.operator]) await refused(renew(deal, start + 5, other), "NotAuthorized");
    await refused(renew(deal, start + 11), "InvalidTerms");
    await refused(renew(deal, start + 4), "InvalidTerms");
    await refused(renew(deal, start + 3), "InvalidTerms");
    await refused(world.market.connect(world.user).renew(id("none"), start + 5), "WrongDealStatus");
    const never = await open({ renewUntil: 0 });
    await refused(renew(never, start + 5), "InvalidTerms");
  });

  it("is refused without the tokens for it", async () => {
    const deal = await open();
    await unfunded(10n ** 18n);
    await expect(renew(deal, start + 5)).to.be.revertedWithCustomError(world.token, "ERC20InsufficientAllowance");
    expect(await endOf(deal)).to.equal(start + 4);
  });

  it("is the payer's and not the owner's when the two differ", async () => {
    const { terms } = await world.makeTerms([p1, p2], { payer: world.reporter, periods: 4, renewUntil: start + 10 });
    const signed = await world.user.signTypedData(await world.domain(), OPEN_DEAL_TYPES, {
      ...terms,
      headerHash: ethers.keccak256(terms.header),
      rootsHash: ethers.keccak256(ethers.concat(terms.offers.map(({ root }) => String(root)))),
      maxEscrowWei: 10n ** 18n,
      deadline: FAR,
    });
    await world.fund(world.reporter, 10n ** 18n);
    const receipt = await (await world.market.connect(world.reporter).openDealWithSig(terms, 10n ** 18n, FAR, signed)).wait();
    if (receipt === null) throw new Error("not mined");
    const dealId = await world.market.dealIdOf(world.user, terms.dealSalt);
    const deal = { dealId, terms, trees: [], receipt };
    deals.push(deal);
    await world.fund(world.user, 10n ** 18n);
    await refused(renew(deal, start + 5), "NotAuthorized");
    await refused(withSig(deal, start + 5, await sign(deal, start + 5)), "InvalidOwnerSignature");
    const before = await world.token.balanceOf(world.reporter);
    await renew(deal, start + 5, world.reporter);
    expect(before - (await world.token.balanceOf(world.reporter))).to.equal(2n * PAY);
  });

  it("is refused once the deal has ended, was terminated, or failed", async () => {
    const [ended, terminated, failed] = [await open(), await open(), await open({ k: 2 })];
    await world.fund(world.user, 10n ** 18n);
    await world.market.connect(world.user).terminate(terminated.dealId);
    await refused(renew(terminated, start + 5), "WrongDealStatus");
    await world.market.connect(p1.operator).declareLost(failed.dealId, 0);
    await world.market.connect(p2.operator).declareLost(failed.dealId, 1);
    await refused(renew(failed, start + 5), "WrongDealStatus");
    await world.enter(start + 4);
    await refused(renew(ended, start + 5), "TooLate");
    const signature = await sign(ended, start + 5);
    await refused(withSig(ended, start + 5, signature), "TooLate");
  });

  it("takes pay x added periods, again and again up to the bound, and pays to the new end", async () => {
    const deal = await open();
    await world.fund(world.user, 3n * PAY * 2n);
    const before = await world.token.balanceOf(world.user);
    await expect(renew(deal, start + 5))
      .to.emit(world.market, "DealRenewed")
      .withArgs(deal.dealId, start + 4, start + 5, 3n * PAY);
    await renew(deal, start + 6);
    expect(before - (await world.token.balanceOf(world.user))).to.equal(6n * PAY);
    await checkBooks(world, deals);
    for (let at = 0; at < 6; at += 1) await world.pass(p1, p2, p3);
    await world.settleAll(deal);
    for (const { owner } of [p1, p2, p3]) expect(await world.market.creditOf(owner)).to.equal(6n * NET);
    const { status, openSlots } = await world.market.deal(deal.dealId);
    expect([status, openSlots, await world.market.creditOf(world.user)]).to.deep.equal([2n, 0n, 0n]);
  });

  it("takes a permit along, and minds none that was used before", async () => {
    const deal = await open();
    await unfunded(6n * PAY);
    const permit = await permitFor(6n * PAY);
    await world.market.connect(world.user).renewWithPermit(deal.dealId, start + 5, permit);
    await world.market.connect(world.user).renewWithPermit(deal.dealId, start + 6, permit);
    expect(await endOf(deal)).to.equal(start + 6);
    await expect(world.market.connect(world.user).renewWithPermit(deal.dealId, start + 7, permit)).to.be.revertedWithCustomError(
      world.token,
      "ERC20InsufficientAllowance",
    );
  });

  it("takes the payer's signature from anybody, once, for this deal and end, in time", async () => {
    const deal = await open();
    const other = await open();
    await world.fund(world.user, 100n * PAY);
    const signature = await sign(deal, start + 6);
    await refused(withSig(deal, start + 7, signature), "InvalidOwnerSignature");
    await refused(withSig(other, start + 6, signature), "InvalidOwnerSignature");
    await refused(withSig(deal, start + 6, await sign(deal, start + 6, FAR, world.reporter)), "InvalidOwnerSignature");
    await refused(withSig(deal, start + 6, await sign(deal, start + 6, 1n), 1n), "AuthorizationExpired");
    const before = await world.token.balanceOf(world.user);
    await withSig(deal, start + 6, signature);
    expect(before - (await world.token.balanceOf(world.user))).to.equal(6n * PAY);
    await refused(withSig(deal, start + 6, signature), "InvalidTerms");
    await renew(deal, start + 8);
    await refused(withSig(deal, start + 6, signature), "InvalidTerms");
    expect(await endOf(deal)).to.equal(start + 8);
  });

  it("takes the payer's permit along with its signature", async () => {
    const deal = await open();
    await unfunded(3n * PAY);
    const signature = await sign(deal, start + 5);
    await withSig(deal, start + 5, signature, FAR, await permitFor(3n * PAY));
    expect(await endOf(deal)).to.equal(start + 5);
  });

  it("M2: pays for vacant, reserved and evicted slots too, and gives back what nobody served", async () => {
    const deal = await open({ k: 1 });
    await world.pass(p1, p2, p3);
    await evictByLie(world, p1, deal, 0);
    await world.market.connect(p2.operator).declareLost(deal.dealId, 1);
    await world.token.connect(world.signer(0)).transfer(world.reporter, COLLATERAL);
    await world.token.connect(world.reporter).approve(world.repair, COLLATERAL);
    await world.repair.connect(world.reporter).reserve(deal.dealId, [1]);
    await world.fund(world.user, 18n * PAY);
    const before = await world.token.balanceOf(world.user);
    await renew(deal, start + 10);
    expect(before - (await world.token.balanceOf(world.user))).to.equal(18n * PAY);
    await checkBooks(world, deals);

    // The evicted one's slot goes to another provider; the reserved one stays vacant to the end.
    const { offer, refill } = await world.refillOffer(deal, 0, p4);
    await world.market.connect(world.user).refill(deal.dealId, 0, offer, refill);
    await world.pass(p3);
    for (let at = 2; at < 10; at += 1) await world.pass(p3, p4);
    const slashParts = (await world.market.creditOf(world.user)) - PAY;
    await world.settleAll(deal);
    await world.market.settleTenure(deal.dealId, 1, p2.providerId);
    expect(await world.market.creditOf(p1.owner)).to.equal(NET);
    expect(await world.market.creditOf(p2.owner)).to.equal(NET);
    expect(await world.market.creditOf(p3.owner)).to.equal(10n * NET);
    expect(await world.market.creditOf(p4.owner)).to.equal(8n * NET);
    const { status, openSlots, vacantSlots } = await world.market.deal(deal.dealId);
    expect([status, openSlots, vacantSlots]).to.deep.equal([2n, 0n, 0n]);
    // Periods that nobody served: one of slot 0, nine of slot 1.
    expect(await world.market.creditOf(world.user)).to.equal(slashParts + 10n * PAY);
    await world.repair.release(deal.dealId, 1);
  });

  it("prolongs tenures that a refill or hand-over began", async () => {
    const deal = await open();
    const { offer, refill } = await world.refillOffer(deal, 0, p4);
    await world.market.connect(p1.operator).handOver(deal.dealId, 0, offer, refill);
    await world.fund(world.user, 18n * PAY);
    await renew(deal, start + 6);
    await world.pass(p1, p2, p3);
    for (let at = 1; at < 6; at += 1) await world.pass(p2, p3, p4);
    await world.settleAll(deal);
    await world.market.settleTenure(deal.dealId, 0, p1.providerId);
    expect([await world.market.creditOf(p1.owner), await world.market.creditOf(p4.owner)]).to.deep.equal([NET, 5n * NET]);
    expect(await world.market.creditOf(world.user)).to.equal(0n);
  });

  it("then terminated gives back all that is behind the present period", async () => {
    const deal = await open();
    await world.fund(world.user, 18n * PAY);
    await renew(deal, start + 10);
    await world.market.connect(world.user).terminate(deal.dealId);
    expect(await world.market.creditOf(world.user)).to.equal(27n * PAY);
    await world.pass(p1, p2, p3);
    await world.settleAll(deal);
    expect((await world.market.deal(deal.dealId)).openSlots).to.equal(0n);
  });
});
