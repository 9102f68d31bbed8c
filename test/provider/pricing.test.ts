import { Pricing } from "@ppio/provider";
import { expect } from "chai";
import fc from "fast-check";
import { codeOf } from "../support/code-of.ts";
import { CONFIG } from "../support/provider/world.ts";

const PAYER = `0x${"0a".repeat(20)}`;
const OTHER = `0x${"0b".repeat(20)}`;
const config = { ...CONFIG, capacityBytes: 1 << 30, pricePerGibPeriodWei: 10n ** 15n, priceRisePercent: 300 };

function open(change: Partial<typeof CONFIG> = {}) {
  const state = { usedBytes: 0, nowMs: 0 };
  const pricing = new Pricing({ config: { ...config, ...change }, usedBytes: () => state.usedBytes, now: () => state.nowMs });
  return { pricing, state };
}

describe("a provider's policy", () => {
  it("asks the base price of an empty disk, the whole rise on a full one, a quarter of it on a half full one", () => {
    const { pricing, state } = open();
    expect(pricing.presentWei).to.equal(10n ** 15n);
    state.usedBytes = 1 << 29;
    expect(pricing.presentWei).to.equal((10n ** 15n * 175n) / 100n);
    state.usedBytes = 1 << 30;
    expect(pricing.presentWei).to.equal(4n * 10n ** 15n);
  });

  it("never falls as the disk fills, and never passes its bounds", () => {
    fc.assert(
      fc.property(fc.nat(1 << 30), fc.nat(1 << 30), fc.nat(10_000), (a, b, priceRisePercent) => {
        const { pricing, state } = open({ priceRisePercent });
        state.usedBytes = Math.min(a, b);
        const low = pricing.presentWei;
        state.usedBytes = Math.max(a, b);
        const most = config.pricePerGibPeriodWei + (config.pricePerGibPeriodWei * BigInt(priceRisePercent)) / 100n;
        return config.pricePerGibPeriodWei <= low && low <= pricing.presentWei && pricing.presentWei <= most;
      }),
    );
  });

  it("is bound by a price that it quoted, for a while", () => {
    const { pricing, state } = open();
    const quoted = pricing.quote();
    state.usedBytes = 1 << 30;
    expect(pricing.askedWei).to.equal(quoted);
    state.nowMs = 600_001;
    expect(pricing.askedWei).to.equal(pricing.presentWei);
  });

  it("takes slots of the payers that it allows, and of none that it denies", async () => {
    const check = (pricing: Pricing, payer: string): Promise<string> => codeOf(() => pricing.checkPayer(payer));
    expect(await check(open().pricing, PAYER)).to.equal("accepted");
    expect(await check(open({ payersDenied: `${OTHER}, ${PAYER}` }).pricing, PAYER)).to.equal("REFUSED");
    const { pricing } = open({ payersAllowed: PAYER, payersDenied: OTHER });
    expect([await check(pricing, PAYER), await check(pricing, OTHER), pricing.isOpenToAll]).to.deep.equal(["accepted", "REFUSED", false]);
  });

  it("keeps to its terms and its most collateral for a slot", async () => {
    const { pricing } = open({ periodsMin: 10, periodsMax: 20, maxCollateralWei: 5n });
    for (const periods of [9, 21]) expect(await codeOf(() => pricing.checkPeriods(periods))).to.equal("REFUSED");
    for (const periods of [10, 20]) expect(await codeOf(() => pricing.checkPeriods(periods))).to.equal("accepted");
    expect(await codeOf(() => pricing.checkCollateral(6n))).to.equal("REFUSED");
    expect(await codeOf(() => pricing.checkCollateral(5n))).to.equal("accepted");
  });

  it("does not start with lists that are none, or with terms that nobody can meet", async () => {
    for (const change of [{ payersAllowed: "0x12" }, { payersDenied: "me" }, { periodsMin: 30, periodsMax: 20 }]) {
      expect(await codeOf(() => open(change))).to.equal("CONFIG");
    }
  });
});
