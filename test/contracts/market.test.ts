/** StorageMarket: opening, refusing, settling, refilling, ending. Money is checked to the wei. */

import { REFILL_SLOT_TYPES } from "@ppio/core";
import { expect } from "chai";
import { id, keccak256, Signature, ZeroAddress } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { OFFER_TYPES } from "../support/contracts/parameters.ts";
import { signPermit } from "../support/contracts/permit.ts";
import { OPEN_DEAL_TYPES, TERMINATE_DEAL_TYPES, WITHDRAW_TYPES } from "../support/contracts/typed-data.ts";
import type { DealTerms, OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const PAY = 10n ** 15n;
const FEE = (PAY * 2n) / 100n;

describe("StorageMarket", () => {
  let world: World;
  let providers: TestProvider[];
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;

  const fixture = async () => {
    const made = await deployWorld();
    return { made, all: [await made.addProvider(0), await made.addProvider(1), await made.addProvider(2)] };
  };

  beforeEach(async () => {
    const { made, all } = await networkHelpers.loadFixture(fixture);
    world = made;
    [p1, p2, p3] = all as [TestProvider, TestProvider, TestProvider];
    providers = [p1, p2];
  });

  const openWith = async (terms: DealTerms) => {
    await world.fund(world.user, 10n ** 18n);
    return world.market.connect(world.user).openDeals([terms]);
  };
  const changed = async (change: (terms: DealTerms) => void, resign = true): Promise<Promise<unknown>> => {
    const { terms } = await world.makeTerms(providers);
    change(terms);
    if (resign) await world.signAll(terms, providers);
    return openWith(terms);
  };
  const refused = async (change: (terms: DealTerms) => void, error: string, resign = true): Promise<void> => {
    await expect(changed(change, resign)).to.be.revertedWithCustomError(world.market, error);
  };
  const first = (terms: DealTerms) => {
    const [offer] = terms.offers;
    if (offer === undefined) throw new Error("no offer");
    return offer;
  };
  /** Nobody proves for as many periods as evict, and the misses are reported. */
  const evict = async (deal: OpenedDeal, gone: readonly TestProvider[], others: readonly TestProvider[]): Promise<void> => {
    const start = await world.period();
    for (let at = 0; at < 6; at += 1) await world.pass(...others);
    for (const provider of gone) {
      const slotIndex = deal.terms.offers.findIndex(({ providerId }) => Number(providerId) === provider.providerId);
      for (let period = start; period < start + 4; period += 1) await world.report(provider.providerId, period, deal.dealId, slotIndex);
    }
  };
  const booksBalance = async (deals: readonly OpenedDeal[]): Promise<void> => {
    const accounts = world.signers.map(({ address }) => address);
    expect(await world.token.balanceOf(world.market)).to.equal(await world.bookedWei(deals, accounts));
  };

  describe("opening", () => {
    it("refuses terms that make no deal", async () => {
      await refused((terms) => Object.assign(terms, { k: 0 }), "InvalidTerms");
      await refused((terms) => Object.assign(terms, { k: 2 }), "InvalidTerms");
      await refused((terms) => Object.assign(terms, { periods: 0 }), "InvalidTerms");
      await refused((terms) => Object.assign(terms, { periods: 2 ** 24 }), "InvalidTerms");
      await refused((terms) => Object.assign(terms, { header: `0x${"00".repeat(16)}` }), "InvalidTerms");
      await refused((terms) => Object.assign(first(terms), { payPerPeriodWei: 0n }), "InvalidTerms");
      await refused((terms) => Object.assign(first(terms), { payPerPeriodWei: PAY + 1n }), "InvalidTerms");
      await refused((terms) => Object.assign(first(terms), { collateralWei: 0n }), "InvalidTerms");
      await refused((terms) => Object.assign(first(terms), { collateralWei: 1n }), "InvalidTerms");
      await refused((terms) => Object.assign(first(terms), { leafCount: 0 }), "InvalidTerms");
      await refused((terms) => Object.assign(first(terms), { leafCount: 999 }), "InvalidTerms");
      await expect(world.market.connect(world.user).openDeals([])).to.be.revertedWithCustomError(world.market, "InvalidTerms");
    });

    it("refuses offers that are late, expired or of an unknown provider", async () => {
      await refused((terms) => Object.assign(terms, { startBy: 0 }), "TooLate");
      await refused((terms) => Object.assign(first(terms), { expiry: 1n }), "OfferExpired");
      const { terms } = await world.makeTerms(providers);
      first(terms).providerId = 77;
      await expect(openWith(terms)).to.be.revertedWithCustomError(world.market, "UnknownProvider");
    });

    for (const [what, change] of [
      ["pay", (terms) => Object.assign(first(terms), { payPerPeriodWei: PAY - 10n ** 9n })],
      ["collateral", (terms) => Object.assign(first(terms), { collateralWei: 10n ** 9n })],
      ["root", (terms) => Object.assign(first(terms), { root: id("another") })],
      ["expiry", (terms) => Object.assign(first(terms), { expiry: 3_999_999_999n })],
      ["deal salt", (terms) => Object.assign(terms, { dealSalt: id("another deal") })],
      ["k", (terms) => terms.offers.push({ ...first(terms), providerId: 3 })],
      ["header", (terms) => Object.assign(terms, { header: `0x01${"02".repeat(15)}` })],
      ["periods", (terms) => Object.assign(terms, { periods: 11 })],
      ["startBy", (terms) => Object.assign(terms, { startBy: terms.startBy + 1 })],
      ["renewUntil", (terms) => Object.assign(terms, { renewUntil: 1 })],
      ["slot", (terms) => terms.offers.reverse()],
    ] as readonly (readonly [string, (terms: DealTerms) => unknown])[]) {
      it(`refuses an offer that was signed for another ${what}`, () =>
        refused((terms) => void change(terms), "InvalidOfferSignature", false));
    }

    it("refuses offers of an operator that was replaced, and of another chain or market", async () => {
      const { terms } = await world.makeTerms(providers);
      await world.registry.connect(p1.owner).rotateOperator(p1.providerId, world.signer(19));
      await expect(openWith(terms)).to.be.revertedWithCustomError(world.market, "InvalidOfferSignature");
      const again = await world.makeTerms(providers);
      const domain = { ...(await world.domain()), chainId: 1n };
      const signed = await p2.operator.signTypedData(domain, OFFER_TYPES, {
        ...again.terms.offers[1],
        ...again.terms,
        slotIndex: 1,
        n: 2,
        headerHash: keccak256(again.terms.header),
      });
      const { r, yParityAndS: vs } = Signature.from(signed);
      Object.assign(again.terms.offers[1] ?? {}, { r, vs });
      await expect(openWith(again.terms)).to.be.revertedWithCustomError(world.market, "InvalidOfferSignature");
    });

    it("M6: refuses one provider twice", async () => {
      const { terms } = await world.makeTerms([p1, p1]);
      await expect(openWith(terms)).to.be.revertedWithCustomError(world.market, "DuplicateProvider");
    });

    it("M7: never opens a deal id twice", async () => {
      const deal = await world.open(providers);
      await expect(openWith(deal.terms)).to.be.revertedWithCustomError(world.market, "DealExists");
    });

    it("refuses a caller who is not owner and payer, and a payer without money", async () => {
      const { terms } = await world.makeTerms(providers);
      await expect(world.market.connect(world.reporter).openDeals([terms])).to.be.revertedWithCustomError(world.market, "NotAuthorized");
      await expect(world.market.connect(world.user).openDeals([terms])).to.be.revertedWithCustomError(
        world.token,
        "ERC20InsufficientAllowance",
      );
    });

    it("refuses a provider without free collateral", async () => {
      const { terms } = await world.makeTerms(providers, { collateralWei: 1_001n * 10n ** 18n });
      await expect(openWith(terms)).to.be.revertedWithCustomError(world.proofs, "InsufficientCollateral");
    });

    it("takes exactly Σ pay x periods and locks the collateral", async () => {
      const { terms } = await world.makeTerms(providers, { payPerPeriodWei: [PAY, 3n * PAY], periods: 7 });
      await world.fund(world.user, 10n ** 18n);
      const before = await world.token.balanceOf(world.user);
      await world.market.connect(world.user).openDeals([terms]);
      expect(before - (await world.token.balanceOf(world.user))).to.equal(28n * PAY);
      expect((await world.registry.getProvider(p1.providerId)).lockedWei).to.equal(10n ** 18n);
    });

    it("opens by permit, also when somebody used the permit up before", async () => {
      const { terms } = await world.makeTerms(providers);
      await world.token.connect(world.signer(0)).transfer(world.user, 10n ** 18n);
      const value = 10n ** 18n;
      const permit = await signPermit(world.token, world.user, world.market, value);
      const { deadline, v, r, s } = permit;
      await world.token.permit(world.user, world.market, value, deadline, v, r, s);
      await world.market.connect(world.user).openDealsWithPermit([terms], permit);
      expect((await world.market.deal(await world.market.dealIdOf(terms.owner, terms.dealSalt))).status).to.equal(1n);
    });

    it("opens for an owner who signed, at another one's cost, up to what was signed", async () => {
      const payer = world.reporter;
      const { terms } = await world.makeTerms(providers, { payer });
      await world.fund(payer, 10n ** 18n);
      const sign = async (maxEscrowWei: bigint, deadline: bigint) =>
        world.user.signTypedData(await world.domain(), OPEN_DEAL_TYPES, {
          owner: terms.owner,
          payer: terms.payer,
          dealSalt: terms.dealSalt,
          headerHash: ethers.keccak256(terms.header),
          rootsHash: ethers.keccak256(ethers.concat(terms.offers.map(({ root }) => root as string))),
          maxEscrowWei,
          deadline,
        });
      const far = 4_000_000_000n;
      const market = world.market.connect(payer);
      await expect(market.openDealWithSig(terms, 1n, far, await sign(2n, far))).to.be.revertedWithCustomError(
        market,
        "InvalidOwnerSignature",
      );
      await expect(market.openDealWithSig(terms, 1n, far, await sign(1n, far))).to.be.revertedWithCustomError(market, "InvalidTerms");
      await expect(market.openDealWithSig(terms, 1n, 1n, await sign(1n, 1n))).to.be.revertedWithCustomError(market, "AuthorizationExpired");
      await expect(
        world.market.connect(world.user).openDealWithSig(terms, PAY * 20n, far, await sign(PAY * 20n, far)),
      ).to.be.revertedWithCustomError(market, "NotAuthorized");
      await market.openDealWithSig(terms, PAY * 20n, far, await sign(PAY * 20n, far));
      const { owner, payer: paid } = await market.deal(await market.dealIdOf(terms.owner, terms.dealSalt));
      expect([owner, paid]).to.deep.equal([world.user.address, payer.address]);
    });
  });

  describe("settling", () => {
    it("M3, M5: pays proven periods less the fee, refunds the others, whatever other providers did", async () => {
      const deal = await world.open(providers, { periods: 4 });
      const start = await world.period();
      await world.pass(p1, p2);
      await world.pass(p1);
      await world.pass(p1, p2);
      await world.pass(p1, p2);
      await world.next();
      await world.report(p2.providerId, start + 1, deal.dealId, 1);
      await world.next();
      await world.settleAll(deal);
      expect(await world.market.creditOf(p1.owner)).to.equal(4n * (PAY - FEE));
      expect(await world.market.creditOf(p2.owner)).to.equal(3n * (PAY - FEE));
      expect(await world.market.creditOf(world.user)).to.equal(PAY);
      expect(await world.market.repairFundWei()).to.equal(7n * FEE);
      expect((await world.market.deal(deal.dealId)).status).to.equal(2n);
      await booksBalance([deal]);
    });

    it("M4: pays nothing twice", async () => {
      const deal = await world.open(providers, { periods: 4 });
      await world.pass(p1, p2);
      await world.pass(p1, p2);
      await world.settleAll(deal);
      const credit = await world.market.creditOf(p1.owner);
      await world.settleAll(deal);
      expect(await world.market.creditOf(p1.owner)).to.equal(credit);
      await booksBalance([deal]);
    });

    it("refunds void periods", async () => {
      const deal = await world.open(providers, { periods: 2 });
      await world.pass(p1, p2);
      await world.next();
      await world.next();
      await world.settleAll(deal);
      expect(await world.market.creditOf(world.user)).to.equal(2n * PAY);
      expect(await world.market.creditOf(p1.owner)).to.equal(PAY - FEE);
      await booksBalance([deal]);
    });

    it("names what it cannot settle", async () => {
      const deal = await world.open(providers);
      await expect(world.market.settle(id("nothing"), [0])).to.be.revertedWithCustomError(world.market, "WrongDealStatus");
      await expect(world.market.settle(deal.dealId, [2])).to.be.revertedWithCustomError(world.market, "WrongSlotStatus");
    });
  });

  describe("ending", () => {
    it("lets nobody but the owner end a deal, and only once", async () => {
      const deal = await world.open(providers);
      await expect(world.market.connect(world.reporter).terminate(deal.dealId)).to.be.revertedWithCustomError(
        world.market,
        "NotAuthorized",
      );
      await world.market.connect(world.user).terminate(deal.dealId);
      await expect(world.market.connect(world.user).terminate(deal.dealId)).to.be.revertedWithCustomError(world.market, "WrongDealStatus");
    });

    it("pays the present period and gives the rest back", async () => {
      const deal = await world.open(providers, { periods: 10 });
      await world.pass(p1, p2);
      await world.market.connect(world.user).terminate(deal.dealId);
      expect(await world.market.creditOf(world.user)).to.equal(2n * 8n * PAY);
      await world.pass(p1, p2);
      await world.next();
      await world.settleAll(deal);
      expect(await world.market.creditOf(p1.owner)).to.equal(2n * (PAY - FEE));
      expect((await world.market.deal(deal.dealId)).openSlots).to.equal(0n);
      expect((await world.registry.getProvider(p1.providerId)).lockedWei).to.equal(0n);
      await booksBalance([deal]);
    });

    it("takes the owner's signature from anybody", async () => {
      const deal = await world.open(providers);
      const sign = async (signer: typeof world.user, dealId: string, deadline: bigint) =>
        signer.signTypedData(await world.domain(), TERMINATE_DEAL_TYPES, { dealId, deadline });
      const far = 4_000_000_000n;
      const end = (deadline: bigint, signature: string) =>
        world.market.connect(world.reporter).terminateWithSig(deal.dealId, deadline, signature);
      await expect(end(far, await sign(world.reporter, deal.dealId, far))).to.be.revertedWithCustomError(
        world.market,
        "InvalidOwnerSignature",
      );
      await expect(end(far, await sign(world.user, id("other"), far))).to.be.revertedWithCustomError(world.market, "InvalidOwnerSignature");
      await expect(end(1n, await sign(world.user, deal.dealId, 1n))).to.be.revertedWithCustomError(world.market, "AuthorizationExpired");
      await end(far, await sign(world.user, deal.dealId, far));
      expect((await world.market.deal(deal.dealId)).status).to.equal(3n);
    });

    it("pays credits out, to whom the account says, once per signature", async () => {
      const deal = await world.open(providers, { periods: 10 });
      await world.market.connect(world.user).terminate(deal.dealId);
      const to = world.signer(18).address;
      await expect(world.market.connect(world.reporter).withdraw(to)).to.be.revertedWithCustomError(world.market, "NothingToWithdraw");
      await expect(world.market.connect(world.user).withdraw(ZeroAddress)).to.be.revertedWithCustomError(world.market, "InvalidTerms");
      const far = 4_000_000_000n;
      const message = { account: world.user.address, to, nonce: 0n, deadline: far };
      const signature = await world.user.signTypedData(await world.domain(), WITHDRAW_TYPES, message);
      const amount = await world.market.creditOf(world.user);
      await world.market.connect(world.reporter).withdrawWithSig(world.user, to, far, signature);
      expect(await world.token.balanceOf(to)).to.equal(amount);
      expect(await world.market.nonceOf(world.user)).to.equal(1n);
      await expect(world.market.withdrawWithSig(world.user, to, far, signature)).to.be.revertedWithCustomError(
        world.market,
        "InvalidOwnerSignature",
      );
      await booksBalance([deal]);
    });
  });

  describe("losing and refilling", () => {
    const offerFor = async (deal: OpenedDeal, provider: TestProvider, slotIndex: number, change: object = {}) => {
      const startBy = (await world.period()) + 2;
      const periods = Math.max(1, Number((await world.market.deal(deal.dealId)).end) - startBy);
      const terms: DealTerms = { ...deal.terms, startBy, periods };
      const tree = deal.trees[slotIndex];
      if (tree === undefined) throw new Error("no tree");
      const offer = { ...(await world.makeOffer(provider, tree, PAY, 10n ** 18n)), ...change };
      Object.assign(offer, await world.signOffer(terms, slotIndex, offer, provider.operator));
      return { offer, refillTerms: { dealSalt: deal.terms.dealSalt, startBy, periods } };
    };
    const refill = async (deal: OpenedDeal, provider: TestProvider, slotIndex: number, change: object = {}) => {
      const { offer, refillTerms } = await offerFor(deal, provider, slotIndex, change);
      return world.market.connect(world.user).refill(deal.dealId, slotIndex, offer, refillTerms);
    };

    it("refuses to refill a slot that is held", async () => {
      const deal = await world.open(providers, { periods: 40 });
      await expect(refill(deal, p3, 0)).to.be.revertedWithCustomError(world.market, "WrongSlotStatus");
    });

    it("vacates an evicted provider's slot, pays the owner its part, and lets another one take over", async () => {
      const deal = await world.open(providers, { periods: 40 });
      await evict(deal, [p2], [p1]);
      expect((await world.market.slot(deal.dealId, 1)).status).to.equal(2n);
      expect((await world.registry.getProvider(p2.providerId)).collateralWei).to.equal(0n);

      await expect(refill(deal, p1, 1)).to.be.revertedWithCustomError(world.market, "DuplicateProvider");
      await expect(refill(deal, p2, 1)).to.be.revertedWithCustomError(world.market, "ProviderIsEvicted");
      await expect(refill(deal, p3, 1, { root: id("other") })).to.be.revertedWithCustomError(world.market, "WrongCommitment");
      await expect(refill(deal, p3, 1, { leafCount: 4 })).to.be.revertedWithCustomError(world.market, "WrongCommitment");
      await expect(refill(deal, p3, 1, { payPerPeriodWei: 2n * PAY })).to.be.revertedWithCustomError(world.market, "WrongPay");
      const { offer, refillTerms } = await offerFor(deal, p3, 1);
      const owners = world.market.connect(world.user);
      for (const change of [{ dealSalt: id("salt") }, { periods: 1 }]) {
        await expect(owners.refill(deal.dealId, 1, offer, { ...refillTerms, ...change })).to.be.revertedWithCustomError(
          world.market,
          "InvalidTerms",
        );
      }
      await expect(owners.refill(deal.dealId, 1, offer, { ...refillTerms, startBy: 0 })).to.be.revertedWithCustomError(
        world.market,
        "TooLate",
      );
      await expect(world.market.connect(world.reporter).refill(deal.dealId, 1, offer, refillTerms)).to.be.revertedWithCustomError(
        world.market,
        "NotAuthorized",
      );

      const deadline = 4_000_000_000n;
      await world.market.settle(deal.dealId, [1]);
      const { fromPeriod: vacantFrom } = await world.market.slot(deal.dealId, 1);
      const { collateralWei } = offer;
      const message = { dealId: deal.dealId, slotIndex: 1, vacantFrom, providerId: p3.providerId, collateralWei, deadline };
      const signed = await world.user.signTypedData(await world.domain(), REFILL_SLOT_TYPES, message);
      const anybody = world.market.connect(world.reporter);
      const forged = await world.reporter.signTypedData(await world.domain(), REFILL_SLOT_TYPES, message);
      const withSig = (signature: string, until = deadline) => anybody.refillWithSig(deal.dealId, 1, offer, refillTerms, until, signature);
      await expect(withSig(forged)).to.be.revertedWithCustomError(world.market, "InvalidOwnerSignature");
      await expect(withSig(signed, 1n)).to.be.revertedWithCustomError(world.market, "AuthorizationExpired");

      const before = await world.market.creditOf(world.user);
      await withSig(signed);
      expect(await world.market.creditOf(world.user)).to.be.greaterThan(before);
      const slot = await world.market.slot(deal.dealId, 1);
      expect([slot.status, slot.providerId]).to.deep.equal([1n, BigInt(p3.providerId)]);
      await booksBalance([deal]);

      world.trees.set(`${deal.dealId}/1`, deal.trees[1] as never);
      await world.pass(p1);
      await world.pass(p1, p3);
      await world.pass(p1, p3);
      await world.settleAll(deal);
      expect(await world.market.creditOf(p3.owner)).to.equal(2n * (PAY - FEE));
      await booksBalance([deal]);
    });

    it("gives up a deal with fewer than k slots left, and refunds it", async () => {
      const deal = await world.open([p1, p2], { periods: 40, k: 1 });
      await evict(deal, [p1, p2], []);
      await world.settleAll(deal);
      expect((await world.market.deal(deal.dealId)).status).to.equal(4n);
      await world.next();
      await world.settleAll(deal);
      expect((await world.market.deal(deal.dealId)).openSlots).to.equal(0n);
      const credit = await world.market.creditOf(world.user);
      expect(credit).to.be.greaterThanOrEqual(2n * 40n * PAY - 2n * PAY);
      await booksBalance([deal]);
      await expect(refill(deal, p3, 0)).to.be.revertedWithCustomError(world.market, "WrongDealStatus");
    });
  });

  it("lets nobody but the contracts themselves in by their doors", async () => {
    const deal = await world.open(providers);
    const { offer, refill } = await world.refillOffer(deal, 0, p3);
    for (const call of [
      world.market.bookSlash(ZeroAddress, 1n, 1n, 1n),
      world.market.moveInterval(deal.dealId, 0, p1.providerId, 0),
      world.market.forfeitSampled(deal.dealId, 0, p1.providerId, 1),
      world.market.startChallenge(deal.dealId, 0),
      world.market.endChallenge(deal.dealId, 0, ZeroAddress),
      world.market.reserve(deal.dealId, 0),
      world.market.unreserve(deal.dealId, 0),
      world.market.refillReserved(deal.dealId, 0, offer, refill, ZeroAddress),
      world.market.payFromRepairFund(world.user, 1n),
    ]) {
      await expect(call).to.be.revertedWithCustomError(world.market, "NotAuthorized");
    }
  });
});
