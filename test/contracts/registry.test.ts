/** ProviderRegistry: owners and operators, collateral and its way out. */
import { expect } from "chai";
import { id, ZeroAddress } from "ethers";
import { deployWorld, networkHelpers, type TestProvider, type World } from "../support/contracts/world.ts";

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

  it("lets nobody but market and proofs count, slash or evict", async () => {
    for (const call of [
      world.registry.useOperatorCap(1, 1, 1n),
      world.registry.slash(1, 1n),
      world.registry.evict(1, 1),
    ]) {
      await refused(call, "NotAuthorized");
    }
  });
});
