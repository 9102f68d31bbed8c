/** PpioTimelock: a delay that cannot leave its bounds, and no other way in. */
import { expect } from "chai";
import { ZeroAddress, ZeroHash } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";

const DAY = 86_400n;

describe("PpioTimelock", () => {
  const fixture = async () => {
    const [, proposer, executor, thief] = await ethers.getSigners();
    if (proposer === undefined || executor === undefined || thief === undefined) throw new Error("no signers");
    const timelock = await ethers.deployContract("PpioTimelock", [3n * DAY, [proposer], [executor]]);
    return { timelock, proposer, executor, thief };
  };
  type Parts = Awaited<ReturnType<typeof fixture>>;

  /** Schedules a call of the timelock to itself and executes it when it is ready. */
  async function govern({ timelock, proposer, executor }: Parts, data: string, delay: bigint) {
    await timelock.connect(proposer).schedule(timelock, 0n, data, ZeroHash, ZeroHash, delay);
    await networkHelpers.time.increase(delay);
    return timelock.connect(executor).execute(timelock, 0n, data, ZeroHash, ZeroHash);
  }

  it("L1: refuses to be deployed with a delay out of bounds, and takes both bounds", async () => {
    const factory = await ethers.getContractFactory("PpioTimelock");
    for (const delay of [0n, 2n * DAY - 1n, 30n * DAY + 1n]) {
      await expect(factory.deploy(delay, [], [])).to.be.revertedWithCustomError(factory, "DelayOutOfBounds");
    }
    for (const delay of [2n * DAY, 30n * DAY]) expect(await (await factory.deploy(delay, [], [])).getMinDelay()).to.equal(delay);
  });

  it("L1: refuses an operation that would move the delay out of bounds, after all its waiting", async () => {
    const parts = await networkHelpers.loadFixture(fixture);
    const { timelock } = parts;
    for (const delay of [0n, 2n * DAY - 1n, 30n * DAY + 1n, 2n ** 256n - 1n]) {
      const data = timelock.interface.encodeFunctionData("updateDelay", [delay]);
      await expect(govern(parts, data, 3n * DAY)).to.be.revertedWithCustomError(timelock, "DelayOutOfBounds");
    }
    expect(await timelock.getMinDelay()).to.equal(3n * DAY);
  });

  it("L1, L2: moves the delay within the bounds, which then holds for what comes", async () => {
    const parts = await networkHelpers.loadFixture(fixture);
    const { timelock, proposer } = parts;
    await govern(parts, timelock.interface.encodeFunctionData("updateDelay", [30n * DAY]), 3n * DAY);
    expect(await timelock.getMinDelay()).to.equal(30n * DAY);
    await expect(timelock.connect(proposer).schedule(timelock, 0n, "0x", ZeroHash, ZeroHash, 30n * DAY - 1n)).to.be.revertedWithCustomError(
      timelock,
      "TimelockInsufficientDelay",
    );
  });

  it("L2: executes nothing before its time, nothing unknown and nothing cancelled", async () => {
    const { timelock, proposer, executor } = await networkHelpers.loadFixture(fixture);
    const data = timelock.interface.encodeFunctionData("updateDelay", [5n * DAY]);
    const execute = () => timelock.connect(executor).execute(timelock, 0n, data, ZeroHash, ZeroHash);
    const refused = () => expect(execute()).to.be.revertedWithCustomError(timelock, "TimelockUnexpectedOperationState");
    await refused();
    await timelock.connect(proposer).schedule(timelock, 0n, data, ZeroHash, ZeroHash, 3n * DAY);
    await networkHelpers.time.increase(3n * DAY - 10n);
    await refused();
    await timelock.connect(proposer).cancel(await timelock.hashOperation(timelock, 0n, data, ZeroHash, ZeroHash));
    await networkHelpers.time.increase(DAY);
    await refused();
  });

  it("L3: has no admin but itself: deployer, proposer and strangers change neither delay nor roles", async () => {
    const { timelock, proposer, executor, thief } = await networkHelpers.loadFixture(fixture);
    const [deployer] = await ethers.getSigners();
    const admin = await timelock.DEFAULT_ADMIN_ROLE();
    expect(await timelock.hasRole(admin, timelock)).to.equal(true);
    for (const caller of [deployer ?? thief, proposer, executor, thief]) {
      const as = timelock.connect(caller);
      expect(await timelock.hasRole(admin, caller)).to.equal(false);
      await expect(as.updateDelay(4n * DAY)).to.be.revertedWithCustomError(timelock, "TimelockUnauthorizedCaller");
      const grant = as.grantRole(await timelock.PROPOSER_ROLE(), thief);
      await expect(grant).to.be.revertedWithCustomError(timelock, "AccessControlUnauthorizedAccount");
    }
    expect(await timelock.hasRole(admin, ZeroAddress)).to.equal(false);
    await expect(timelock.connect(thief).schedule(timelock, 0n, "0x", ZeroHash, ZeroHash, 3n * DAY)).to.be.revertedWithCustomError(
      timelock,
      "AccessControlUnauthorizedAccount",
    );
  });
});
