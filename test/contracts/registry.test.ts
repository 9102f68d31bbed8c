/** ProviderRegistry: owners and operators, collateral and its way out. */
import { expect } from "chai";
import { id, ZeroAddress } from "ethers";
import { networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { evictByLie } from "../support/contracts/lies.ts";
import { UNBONDING_SECONDS } from "../support/contracts/parameters.ts";
import { signPermit } from "../support/contracts/permit.ts";
import type { TestProvider, World } from "../support/contracts/world.ts";

const TOKEN = 10n ** 18n;

describe("ProviderRegistry", () => {
  let world: World;
  let provider: TestProvider;

  const fixture = async () => {
    const made = await deployWorld();
    return { made, added: await made.addProvider(0, 100n * TOKEN) };
  };
  beforeEach(async () => {
    ({ made: world, added: provider } = await networkHelpers.loadFixture(fixture));
  });
  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.registry, error);

  it("R4: refuses an operator that has a provider, and none at all", async () => {
    const { registry } = world;
    await refused(registry.register(provider.operator, "http://x", 1n, 1n, id("")), "OperatorTaken");
    await refused(registry.register(ZeroAddress, "http://x", 1n, 1n, id("")), "ZeroAddress");
    await refused(registry.register(world.signer(19), "x".repeat(257), 1n, 1n, id("")), "EndpointTooLong");
  });

  it("rotates operators, by the owner only, and keeps their history", async () => {
    const registry = world.registry.connect(provider.owner);
    await refused(world.registry.connect(provider.operator).rotateOperator(provider.providerId, world.signer(19)), "NotOwner");
    await registry.rotateOperator(provider.providerId, world.signer(19));
    expect(await registry.operatorAt(provider.providerId, 1)).to.equal(provider.operator.address);
    expect(await registry.operatorAt(provider.providerId, 2)).to.equal(world.signer(19).address);
    expect(await registry.operatorEpochOf(provider.providerId)).to.equal(2n);
    expect(await registry.providerOfOperator(provider.operator)).to.equal(0n);
  });

  it("takes updates of owner and operator, of nobody else", async () => {
    const update = (signer: typeof provider.owner) =>
      world.registry.connect(signer).update(provider.providerId, "http://new", 2n, 3n, id("d"));
    await refused(update(world.reporter), "NotOwner");
    await update(provider.operator);
    const { endpoint, pricePerGibPeriodWei, capacityBytes } = await world.registry.getProvider(provider.providerId);
    expect([endpoint, pricePerGibPeriodWei, capacityBytes]).to.deep.equal(["http://new", 2n, 3n]);
    await refused(world.registry.getProvider(99), "UnknownProvider");
  });

  it("R1: holds exactly the collateral that was put down", async () => {
    expect(await world.token.balanceOf(world.registry)).to.equal(100n * TOKEN);
    await refused(world.registry.depositCollateral(99, 1n), "UnknownProvider");
    await expect(world.registry.connect(provider.owner).depositCollateral(provider.providerId, 10n ** 30n)).to.be.revertedWithCustomError(
      world.registry,
      "TooMuchCollateral",
    );
  });

  it("R1: takes collateral by permit, also when somebody used the permit up before", async () => {
    const { registry, token } = world;
    const { providerId, owner } = provider;
    await token.connect(world.signer(0)).transfer(owner, TOKEN);
    await token.connect(owner).approve(registry, 0n);
    const permit = await signPermit(token, owner, registry, TOKEN);
    const { value, deadline, v, r, s } = permit;
    await token.connect(world.reporter).permit(owner, registry, value, deadline, v, r, s);
    await registry.connect(owner).depositCollateralWithPermit(providerId, value, deadline, v, r, s);
    expect((await registry.getProvider(providerId)).collateralWei).to.equal(101n * TOKEN);
  });

  it("R3: gives back free collateral only, after the delay, less what was slashed meanwhile", async () => {
    const registry = world.registry.connect(provider.owner);
    const other = await world.addProvider(1);
    await refused(registry.startUnbonding(provider.providerId, 101n * TOKEN), "InsufficientFreeCollateral");
    await refused(world.registry.startUnbonding(provider.providerId, 1n), "NotOwner");
    await registry.startUnbonding(provider.providerId, 60n * TOKEN);
    await refused(registry.withdrawCollateral(provider.providerId), "StillUnbonding");
    const deal = await world.open([provider, other], { collateralWei: 50n * TOKEN, periods: 50 });
    await networkHelpers.time.increase(1_001n);
    const before = await world.token.balanceOf(provider.owner);
    await registry.withdrawCollateral(provider.providerId);
    expect((await world.token.balanceOf(provider.owner)) - before).to.equal(50n * TOKEN);
    await refused(registry.withdrawCollateral(provider.providerId), "NothingToWithdraw");
    void deal;
  });

  describe("ownership", () => {
    const offer = (to: string, by = provider.owner) => world.registry.connect(by).offerOwnership(provider.providerId, to);
    const accept = (by: typeof provider.owner) => world.registry.connect(by).acceptOwnership(provider.providerId);

    it("changes hands in two steps: offered by the owner, accepted by whom it was offered to", async () => {
      const to = world.signer(17);
      await refused(offer(to.address, provider.operator), "NotOwner");
      await refused(accept(to), "NotOwner");
      await offer(to.address);
      await refused(accept(world.reporter), "NotOwner");
      await refused(world.registry.connect(to).rotateOperator(provider.providerId, world.signer(19)), "NotOwner");
      await accept(to);
      expect(await world.registry.ownerOf(provider.providerId)).to.equal(to.address);
      await refused(accept(to), "NotOwner");
      await refused(world.registry.connect(provider.owner).startUnbonding(provider.providerId, 1n), "NotOwner");
      await world.registry.connect(to).rotateOperator(provider.providerId, world.signer(19));
      await refused(world.registry.connect(to).acceptOwnership(99), "UnknownProvider");
    });

    it("can be offered to another, or to nobody, before it was accepted", async () => {
      await offer(world.signer(17).address);
      await offer(world.signer(18).address);
      await refused(accept(world.signer(17)), "NotOwner");
      await offer(ZeroAddress);
      await refused(accept(world.signer(18)), "NotOwner");
    });

    it("takes pay that was not settled before along", async () => {
      const other = await world.addProvider(1);
      const deal = await world.open([provider, other], { periods: 5 });
      await world.pass(provider, other);
      await offer(world.signer(17).address);
      await accept(world.signer(17));
      await world.settleAll(deal);
      expect(await world.market.creditOf(world.signer(17))).to.equal((10n ** 15n * 98n) / 100n);
      expect(await world.market.creditOf(provider.owner)).to.equal(0n);
    });
  });

  describe("R6: the operator's cap", () => {
    const cap = (wei: bigint, by = provider.owner) => world.registry.connect(by).setOperatorCap(provider.providerId, wei);
    const exceeded = (call: Promise<unknown>) => refused(call, "OperatorCapExceeded");

    it("is set by the owner only, in whole gwei", async () => {
      await refused(cap(TOKEN, provider.operator), "NotOwner");
      await refused(cap(TOKEN + 1n), "NotAMultipleOfGwei");
      await cap(TOKEN);
      expect((await world.registry.getProvider(provider.providerId)).operatorCapWei).to.equal(TOKEN);
    });

    it("bounds what offers bind in one period, over all deals, and is full again in the next", async () => {
      const other = await world.addProvider(1);
      const open = (collateralWei: bigint) => world.open([provider, other], { collateralWei, periods: 20 });
      await cap(3n * TOKEN);
      await exceeded(open(3n * TOKEN + 10n ** 9n));
      await open(2n * TOKEN);
      await exceeded(open(TOKEN + 10n ** 9n));
      await open(TOKEN);
      await exceeded(open(10n ** 9n));
      // Lowered below what is used: nothing left, not a negative rest.
      await cap(TOKEN);
      await exceeded(open(10n ** 9n));
      await world.next();
      await open(TOKEN);
      await exceeded(open(10n ** 9n));
      await cap(0n);
      await open(50n * TOKEN);
    });

    it("counts refills and hand-overs too", async () => {
      const [second, third] = [await world.addProvider(1), await world.addProvider(2)];
      const deal = await world.open([second, third], { collateralWei: 2n * TOKEN, periods: 20 });
      await cap(TOKEN);
      const { offer, refill } = await world.refillOffer(deal, 0, provider);
      await exceeded(world.market.connect(second.operator).handOver(deal.dealId, 0, offer, refill));
      await cap(2n * TOKEN);
      await world.market.connect(second.operator).handOver(deal.dealId, 0, offer, refill);
      expect((await world.registry.getProvider(provider.providerId)).lockedWei).to.equal(2n * TOKEN);
    });
  });

  describe("unbonding", () => {
    it("lapses when nobody withdraws within another delay, and can be asked for again", async () => {
      const registry = world.registry.connect(provider.owner);
      await registry.startUnbonding(provider.providerId, 60n * TOKEN);
      const { unbondingUntil: until } = await world.registry.getProvider(provider.providerId);
      await networkHelpers.time.setNextBlockTimestamp(until + UNBONDING_SECONDS + 1n);
      await refused(registry.withdrawCollateral(provider.providerId), "UnbondingLapsed");
      await registry.startUnbonding(provider.providerId, 10n * TOKEN);
      const again = (await world.registry.getProvider(provider.providerId)).unbondingUntil;
      await networkHelpers.time.setNextBlockTimestamp(again - 1n);
      await refused(registry.withdrawCollateral(provider.providerId), "StillUnbonding");
      await networkHelpers.time.setNextBlockTimestamp(again + UNBONDING_SECONDS);
      await registry.withdrawCollateral(provider.providerId);
      expect(await world.registry.collateralOf(provider.providerId)).to.equal(90n * TOKEN);
      expect(await world.token.balanceOf(world.registry)).to.equal(90n * TOKEN);
    });

    it("R3: stays slashable to the last moment", async () => {
      const other = await world.addProvider(1);
      const deal = await world.open([provider, other], { periods: 20 });
      const registry = world.registry.connect(provider.owner);
      await registry.startUnbonding(provider.providerId, 99n * TOKEN);
      await networkHelpers.time.increase(UNBONDING_SECONDS + 1n);
      await evictByLie(world, provider, deal, 0);
      await refused(registry.withdrawCollateral(provider.providerId), "NothingToWithdraw");
      await refused(world.registry.connect(other.owner).depositCollateral(provider.providerId, 1n), "AlreadyEvicted");
    });

    it("lets a provider leave whole: hand over, settle, unbond, withdraw", async () => {
      const [second, third] = [await world.addProvider(1), await world.addProvider(2)];
      const deal = await world.open([provider, second], { periods: 20 });
      const registry = world.registry.connect(provider.owner);
      await refused(registry.startUnbonding(provider.providerId, 100n * TOKEN), "InsufficientFreeCollateral");
      const { offer, refill } = await world.refillOffer(deal, 0, third);
      await world.market.connect(provider.operator).handOver(deal.dealId, 0, offer, refill);
      await world.pass(provider, second);
      await world.market.settleTenure(deal.dealId, 0, provider.providerId);
      await registry.startUnbonding(provider.providerId, 100n * TOKEN);
      await networkHelpers.time.increase(UNBONDING_SECONDS + 1n);
      const before = await world.token.balanceOf(provider.owner);
      await registry.withdrawCollateral(provider.providerId);
      expect((await world.token.balanceOf(provider.owner)) - before).to.equal(100n * TOKEN);
    });
  });

  it("lets nobody but market and proofs count, slash or evict", async () => {
    for (const call of [world.registry.useOperatorCap(1, 1, 1n), world.registry.slash(1, 1n), world.registry.evict(1, 1)]) {
      await refused(call, "NotAuthorized");
    }
  });
});
