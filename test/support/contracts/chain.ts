/** The simulated chain of a test file. */
import { network } from "hardhat";

const connection = await network.getOrCreate();
export const { ethers } = connection;

type Helpers = typeof connection.networkHelpers;

/** A fixture's time is its tests' time: else the chain's clock, which follows the wall's, would be as late as the tests before were slow. */
const loadFixture: Helpers["loadFixture"] = async (fixture) => {
  const { networkHelpers } = connection;
  const loaded = await networkHelpers.loadFixture(fixture);
  await networkHelpers.time.setNextBlockTimestamp((await networkHelpers.time.latest()) + 1);
  await networkHelpers.mine(1);
  return loaded;
};

export const networkHelpers: Helpers = Object.assign(Object.create(connection.networkHelpers) as Helpers, { loadFixture });
