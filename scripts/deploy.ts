// Deploys to a public network, or goes on with a deployment that was interrupted: npm run deploy -- --network sepolia
// The deployment is written down in ignition/deployments/NAME, the address book at last in networks/NAME.json; both belong into git.
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { HardhatArtifactResolver } from "@nomicfoundation/hardhat-ignition/helpers";
import { isPpioError, parseAddressBook } from "@ppio/core";
import { atomicWriteFile } from "@ppio/daemon";
import hre from "hardhat";
import { deployContracts } from "../cli/dist/deploy/deploy.js";
import { publicNetwork } from "../cli/dist/deploy/networks.js";
import { placesOf } from "./deployment-places.ts";

async function main(): Promise<void> {
  const connection = await hre.network.create();
  const network = publicNetwork(connection.networkName);
  const { deploymentDir, bookFile, rehearsalUrl } = placesOf(hre.config.paths, network);
  const { chainId, beaconUrl, confirmations, deployment } = network;
  const rpcUrl = rehearsalUrl ?? network.rpcUrl;
  const book = await deployContracts({
    ...{ provider: connection.provider, chainId, rpcUrl, beaconUrl, confirmations, deployment, isPublic: true },
    deploymentDir,
    // With the compiler's input, for verification.
    artifacts: new HardhatArtifactResolver(hre.artifacts),
    note: (line) => console.log(line),
  });
  const text = `${JSON.stringify(book, null, 2)}\n`;
  parseAddressBook(text);
  if (existsSync(bookFile) && (await readFile(bookFile, "utf8")) === text) {
    console.log(`${bookFile} is up to date; nothing was sent`);
    return;
  }
  await mkdir(dirname(bookFile), { recursive: true });
  await atomicWriteFile(bookFile, text);
  console.log(`wrote ${bookFile}`);
}

try {
  await main();
} catch (error) {
  console.error(isPpioError(error) ? error.message : error);
  process.exitCode = 1;
}
