/** The simulated chain of a test file. */
import { network } from "hardhat";

export const { ethers, networkHelpers } = await network.getOrCreate();
