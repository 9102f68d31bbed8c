/** PenaltyPolicy, DrandBeacon and PpioToken: the small contracts. */
import { readFileSync } from "node:fs";
import { publicKeyForEvm, signatureForEvm } from "@ppio/core/drand";
import { expect } from "chai";
import { getBytes } from "ethers";
import fc from "fast-check";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { PARAMS } from "../support/contracts/parameters.ts";
import type { World } from "../support/contracts/world.ts";

const vectors = JSON.parse(readFileSync(new URL("../vectors/drand.json", import.meta.url), "utf8")) as {
  readonly publicKey: string;
  readonly rounds: readonly { readonly round: number; readonly signature: string; readonly randomness: string }[];
};

describe("PenaltyPolicy", () => {
  let world: World;
  before(async () => {
    world = await networkHelpers.loadFixture(deployWorld);
  });

  it("refuses parameters under which cheating would pay or that make no sense", async () => {
    const factory = await ethers.getContractFactory("PenaltyPolicy");
    for (const change of [
      { fundBps: 3_999 },
      { reporterBps: 501 },
      { fundBps: 9_600 },
      { protocolFeeBps: 1_001 },
      { maxMissBps: 10_001 },
      { missBps: 3_001 },
      { destroyAfterMisses: 1 },
      { decayPeriods: 0 },
      { challengerBps: 1_001 },
      { caughtLossBps: 10_000 },
      { declaredLossBps: 0 },
      { declaredLossBps: 5_000 },
      { premiumBps: 400 },
    ]) {
      await expect(factory.deploy(world.timelock, { ...PARAMS, ...change })).to.be.revertedWithCustomError(factory, "ParameterOutOfBounds");
    }
  });

  it("Y2, Y3: splits any slash into parts that are the whole, at least 40 % to the fund, at most 5 or 10 % to who found it", async () => {
    const [nobody, reporter, challenger] = [0, 1, 2];
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: 0n, max: 2n ** 96n }), fc.constantFrom(nobody, reporter, challenger), async (amount, finder) => {
        const [fund, found, owners] = await world.policy.split(amount, finder);
        expect(fund + found + owners).to.equal(amount);
        expect(fund * 10n).to.be.greaterThanOrEqual(amount * 4n);
        expect(found * 20n).to.be.lessThanOrEqual(amount * BigInt(finder));
      }),
      { numRuns: 60 },
    );
  });

  it("Y5: pays a premium that rises with vacancy and stays below what the cheapest loss gives to the fund", async () => {
    const collateral = 10n ** 20n;
    const premiums = await Promise.all([0, 1, 4, 1_000].map((periods) => world.policy.premium(collateral, periods)));
    expect(premiums).to.deep.equal([0n, collateral / 200n, collateral / 50n, collateral / 50n]);
    const { declared } = await world.policy.lossBps();
    const [fund] = await world.policy.split((collateral * declared) / 10_000n, 0);
    expect(premiums[3]).to.be.lessThan(fund);
  });

  it("lets the timelock alone change the numbers, inside the bounds", async () => {
    await expect(world.policy.setParams(PARAMS)).to.be.revertedWithCustomError(world.policy, "NotAuthorized");
    const policy = world.policy.connect(world.timelock);
    await expect(policy.setParams({ ...PARAMS, fundBps: 3_999 })).to.be.revertedWithCustomError(world.policy, "ParameterOutOfBounds");
    await policy.setParams({ ...PARAMS, protocolFeeBps: 300 });
    expect(await world.policy.protocolFeeBps()).to.equal(300n);
  });

  it("Y1: never takes more than there is, whatever the record", async () => {
    const u32 = fc.integer({ min: 0, max: 1_000 });
    await fc.assert(
      fc.asyncProperty(
        u32,
        u32,
        u32,
        fc.bigInt({ min: 0n, max: 2n ** 96n - 1n }),
        fc.bigInt({ min: 0n, max: 2n ** 96n - 1n }),
        fc.boolean(),
        async (misses, incidents, proven, atStart, now, consecutive) => {
          const record = { incidentMisses: misses, incidents, lastMissPeriod: 7, incidentCollateralWei: atStart };
          const [, slash] = await world.policy.assess(record, 1_008, consecutive, proven, now);
          expect(slash).to.be.lessThanOrEqual(now);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("Y1: takes for one miss at most its share of what was there when the incident began, and at most what is left", async () => {
    const record = { incidentMisses: 1, incidents: 20, lastMissPeriod: 19, incidentCollateralWei: 1_000n };
    const [tier, share] = await world.policy.assess(record, 20, true, 0, 1_000n);
    expect([tier, share]).to.deep.equal([1n, 300n]);
    const [, rest] = await world.policy.assess(record, 20, true, 0, 100n);
    expect(rest).to.equal(100n);
  });

  it("forgets an incident per so many proven periods", async () => {
    const record = { incidentMisses: 1, incidents: 3, lastMissPeriod: 10, incidentCollateralWei: 0n };
    const [, , soon] = await world.policy.assess(record, 20, false, 4, 1_000n);
    const [, , late] = await world.policy.assess(record, 20, false, 10, 1_000n);
    expect([soon.incidents, late.incidents]).to.deep.equal([4n, 2n]);
  });
});

describe("DrandBeacon", () => {
  let world: World;
  beforeEach(async () => {
    world = await networkHelpers.loadFixture(deployWorld);
  });

  it("B1-B3: keeps a round's randomness for ever, and whether it came in time", async () => {
    const round = await world.beacon.firstRoundAfter((await networkHelpers.time.latest()) + 3_600);
    const { signature } = world.group.sign(round);
    await expect(world.beacon.submit(round, signature)).to.be.revertedWithCustomError(world.beacon, "RoundInFuture");
    await networkHelpers.time.increaseTo(await world.beacon.timeOfRound(round));
    await world.beacon.submit(round, signature);
    const randomness = await world.beacon.randomness(round);
    expect(await world.beacon.isOnTime(round)).to.equal(true);
    await networkHelpers.time.increase(1_000n);
    await world.beacon.submit(round, signature);
    expect([await world.beacon.randomness(round), await world.beacon.isOnTime(round)]).to.deep.equal([randomness, true]);
    const late = round + 1n;
    await world.beacon.submit(late, world.group.sign(late).signature);
    expect(await world.beacon.isOnTime(late)).to.equal(false);
  });

  it("B1, B2: has no round 0, counts rounds from its genesis, and leaves a late round as it was", async () => {
    await expect(world.beacon.submit(0, world.group.sign(1n).signature)).to.be.revertedWithCustomError(world.beacon, "InvalidSignature");
    const genesis = await world.beacon.genesisTime();
    expect([await world.beacon.firstRoundAfter(0), await world.beacon.firstRoundAfter(genesis)]).to.deep.equal([1n, 2n]);
    const round = 9n;
    const { signature } = world.group.sign(round);
    await networkHelpers.time.increase(1_000);
    await expect(world.beacon.submit(round, signature)).to.emit(world.beacon, "BeaconSubmitted");
    await expect(world.beacon.submit(round, signature)).to.not.emit(world.beacon, "BeaconSubmitted");
  });

  it("refuses another round's signature, a changed one, infinity and a wrong length", async () => {
    const round = await world.beacon.firstRoundAfter((await networkHelpers.time.latest()) - 100);
    const { signature } = world.group.sign(round);
    const bytes = getBytes(signature);
    for (const bad of [world.group.sign(round + 1n).signature, flipped(bytes, 20), flipped(bytes, 127), new Uint8Array(128)]) {
      await expect(world.beacon.submit(round, bad)).to.be.revertedWithCustomError(world.beacon, "InvalidSignature");
    }
    await expect(world.beacon.submit(round, bytes.slice(1))).to.be.revertedWithCustomError(world.beacon, "InvalidLength");
  });

  it("verifies rounds of the real quicknet", async () => {
    const key = vectors.publicKey;
    const quicknet = await ethers.deployContract("DrandBeacon", [
      publicKeyForEvm(getBytes(`0x${key.replace(/^0x/, "")}`)),
      1_692_803_367n,
      3n,
      30n,
    ]);
    for (const { round, signature, randomness } of vectors.rounds) {
      const point = signatureForEvm(getBytes(`0x${signature.replace(/^0x/, "")}`));
      const [valid, value] = await quicknet.verify(round, point);
      expect([valid, value]).to.deep.equal([true, `0x${randomness.replace(/^0x/, "")}`]);
      expect((await quicknet.verify(round + 1, point)).valid).to.equal(false);
    }
  });
});

describe("PpioToken", () => {
  it("drips once a day and address", async () => {
    const world = await networkHelpers.loadFixture(deployWorld);
    const to = world.signer(19);
    await world.token.faucet(to);
    await expect(world.token.faucet(to)).to.be.revertedWithCustomError(world.token, "FaucetEmptyUntil");
    await networkHelpers.time.increase(86_400);
    await world.token.faucet(to);
    expect(await world.token.balanceOf(to)).to.equal(2n * (await world.token.faucetAmountWei()));
  });
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
