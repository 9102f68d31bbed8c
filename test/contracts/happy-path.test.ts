import { expect } from "chai";
import { networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import type { World } from "../support/contracts/world.ts";

describe("A deal from its opening to its end", () => {
  let world: World;
  beforeEach(async () => {
    world = await networkHelpers.loadFixture(deployWorld);
  });

  it("pays every proven period to the provider less the fee, and completes", async () => {
    const providers = [await world.addProvider(0), await world.addProvider(1)];
    const deal = await world.open(providers, { periods: 3 });
    expect(await world.token.balanceOf(world.market)).to.equal(6n * 10n ** 15n);
    for (let i = 0; i < 3; i++) await world.pass(...providers);
    await world.settleAll(deal);
    expect((await world.market.deal(deal.dealId)).status).to.equal(2n);
    for (const { owner, providerId } of providers) {
      expect(await world.market.creditOf(owner)).to.equal((3n * 10n ** 15n * 98n) / 100n);
      const provider = await world.registry.getProvider(providerId);
      expect(provider.lockedWei).to.equal(0n);
    }
    expect(await world.market.repairFundWei()).to.equal((6n * 10n ** 15n * 2n) / 100n);
  });
});
