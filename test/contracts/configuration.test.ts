/** What contracts are deployed with: each refuses what could not work, by name, before it exists; and says what it got. */
import { expect } from "chai";
import { ZeroAddress } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { PARAMS as COMMITTEE_PARAMS, deployCommittee, TERMS } from "../support/contracts/committee.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import {
  ANSWER_SECONDS,
  CHALLENGE_BOND_WEI,
  MAX_LAG_SECONDS,
  PERIOD_SECONDS,
  REPORT_DELAY_BLOCKS,
  REPORT_WINDOW,
  RESERVATION_BOND_BPS,
  RESERVATION_SECONDS,
  ROUND_SECONDS,
  SAMPLES,
  SEED_DELAY_SECONDS,
} from "../support/contracts/parameters.ts";
import type { World } from "../support/contracts/world.ts";

/** What is wrong about a configuration, and the field that the contract names. */
type Faults = readonly (readonly [change: object, field: string])[];

describe("Configurations", () => {
  let world: World;
  before(async () => {
    world = await networkHelpers.loadFixture(deployWorld);
  });

  async function refusesAll(name: "PossessionProofs" | "SlotChallenges" | "SlotRepair", sound: object, faults: Faults): Promise<void> {
    const factory = await ethers.getContractFactory(name);
    for (const [change, field] of faults) {
      await expect(factory.deploy({ ...sound, ...change } as never))
        .to.be.revertedWithCustomError(factory, "InvalidConfig")
        .withArgs(field);
    }
    await factory.deploy(sound as never);
  }

  it("of the proofs: periods must leave time for a late beacon, windows and samples must be some and bounded", async () => {
    const sound = {
      ...{ registry: world.registry, market: world.market, policy: world.policy, beacon: world.beacon, fraudProofs: world.fraud },
      ...{ committee: world.committee, genesisTime: 1n, periodSeconds: PERIOD_SECONDS, seedDelaySeconds: SEED_DELAY_SECONDS },
      ...{ reportWindowPeriods: REPORT_WINDOW, reportDelayBlocks: REPORT_DELAY_BLOCKS, samplesPerProof: SAMPLES },
    };
    const latestSeed = SEED_DELAY_SECONDS + ROUND_SECONDS + MAX_LAG_SECONDS;
    await refusesAll("PossessionProofs", sound, [
      [{ periodSeconds: latestSeed }, "periodSeconds"],
      [{ reportWindowPeriods: 0 }, "reportWindowPeriods"],
      [{ reportWindowPeriods: 257 }, "reportWindowPeriods"],
      [{ reportDelayBlocks: 1_025 }, "reportDelayBlocks"],
      [{ samplesPerProof: 0 }, "samplesPerProof"],
    ]);
  });

  it("of challenges: time to answer behind the seed, a bond inside its bounds", async () => {
    const sound = {
      ...{ token: world.token, market: world.market, registry: world.registry, beacon: world.beacon, timelock: world.timelock },
      ...{ answerSeconds: ANSWER_SECONDS, seedDelaySeconds: SEED_DELAY_SECONDS, bondWei: CHALLENGE_BOND_WEI },
      ...{ minBondWei: 1n, maxBondWei: 10n ** 20n },
    };
    await refusesAll("SlotChallenges", sound, [
      [{ answerSeconds: SEED_DELAY_SECONDS }, "answerSeconds"],
      [{ minBondWei: 0n }, "maxBondWei"],
      [{ minBondWei: 10n ** 20n + 1n }, "maxBondWei"],
      [{ maxBondWei: 2n ** 128n }, "maxBondWei"],
    ]);
    const factory = await ethers.getContractFactory("SlotChallenges");
    const tooLow = { ...sound, bondWei: 0n };
    await expect(factory.deploy(tooLow as never)).to.be.revertedWithCustomError(factory, "BondOutOfBounds");
  });

  it("of repairs: reservations longer than the seed's delay, for a bond that is some", async () => {
    const sound = {
      ...{ token: world.token, market: world.market, beacon: world.beacon, reservationSeconds: RESERVATION_SECONDS },
      ...{ seedDelaySeconds: SEED_DELAY_SECONDS, bondBps: RESERVATION_BOND_BPS },
    };
    await refusesAll("SlotRepair", sound, [
      [{ reservationSeconds: SEED_DELAY_SECONDS }, "reservationSeconds"],
      [{ bondBps: 0 }, "bondBps"],
      [{ bondBps: 10_001 }, "bondBps"],
    ]);
  });

  it("of the registry: no contract may be missing", async () => {
    const factory = await ethers.getContractFactory("ProviderRegistry");
    const { token, market, proofs } = world;
    for (const [a, b, c] of [
      [ZeroAddress, market, proofs],
      [token, ZeroAddress, proofs],
      [token, market, ZeroAddress],
    ] as const) {
      await expect(factory.deploy(a, b, c, 1n)).to.be.revertedWithCustomError(factory, "ZeroAddress");
    }
  });

  it("of the beacon: a key on the curve's second group, rounds that last", async () => {
    const factory = await ethers.getContractFactory("DrandBeacon");
    const { publicKey } = world.group;
    await expect(factory.deploy(publicKey.slice(0, -2), 1n, 3n, 30n)).to.be.revertedWithCustomError(factory, "InvalidLength");
    await expect(factory.deploy(publicKey, 1n, 0n, 30n)).to.be.revertedWithCustomError(factory, "InvalidLength");
  });

  it("of the committee can be read back", async () => {
    const made = await deployCommittee({ verifiers: 0 });
    const config = await made.committee.config();
    expect([config.token, config.proofs]).to.deep.equal([await made.world.token.getAddress(), await made.world.proofs.getAddress()]);
    const { termPeriods, commitPeriods, revealPeriods, leaveDelayTerms, seatsMax, seatsMin } = config;
    const terms = { termPeriods, commitPeriods, revealPeriods, leaveDelayTerms, seatsMax, seatsMin };
    for (const [name, value] of Object.entries(terms)) expect(value, name).to.equal(BigInt(TERMS[name as keyof typeof TERMS] as number));
    expect((await made.committee.paramsAt(1)).minStakeWei).to.equal(COMMITTEE_PARAMS.minStakeWei);
    expect(await made.committee.domainSeparator()).to.equal(ethers.TypedDataEncoder.hashDomain(made.domain()));
  });
});

describe("A registry whose contracts are wrong", () => {
  it("R7, R8: takes no more than there is, and evicts once", async () => {
    const [deployer, market, proofs] = await ethers.getSigners();
    if (deployer === undefined || market === undefined || proofs === undefined) throw new Error("no signers");
    const token = await ethers.deployContract("PpioToken");
    await token.faucet(deployer);
    const registry = await ethers.deployContract("ProviderRegistry", [token, market, proofs, 1n]);
    await registry.register(proofs, "https://a", 1n, 1n, ethers.ZeroHash);
    await token.approve(registry, 10n ** 18n);
    await registry.depositCollateral(1, 10n ** 18n);
    await registry.connect(proofs).slash(1, 2n * 10n ** 18n);
    expect(await token.balanceOf(market)).to.equal(10n ** 18n);
    expect(await registry.collateralOf(1)).to.equal(0n);
    await registry.connect(proofs).evict(1, 7);
    await expect(registry.connect(proofs).evict(1, 8)).to.be.revertedWithCustomError(registry, "AlreadyEvicted");
    expect(await registry.evictedAtPeriod(1)).to.equal(7n);
  });
});
