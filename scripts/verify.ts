// Prepares the verification of a deployment's sources, and submits it: npm run verify -- --network sepolia
// Written first, for any explorer by hand: per contract its address, name, constructor arguments and libraries, and the compiler's
// standard JSON input, in ignition/deployments/NAME/verification. Then sent to Etherscan (if ETHERSCAN_API_KEY is set), Blockscout
// and Sourcify, unless PPIO_VERIFY_OFFLINE is set.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { verifyContract } from "@nomicfoundation/hardhat-verify/verify";
import { getVerificationInformation, type VerifyInfo } from "@nomicfoundation/ignition-core";
import { isPpioError, PpioError, parseAddressBook } from "@ppio/core";
import { atomicWriteFile } from "@ppio/daemon";
import { Interface } from "ethers";
import hre from "hardhat";
import { publicNetwork } from "../cli/dist/deploy/networks.js";
import { coreVerification } from "../cli/dist/deploy/verification.js";
import { placesOf } from "./deployment-places.ts";

const PROVIDERS = ["etherscan", "blockscout", "sourcify"] as const;
const text = (value: unknown): string =>
  `${JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? each.toString() : each), 2)}\n`;

async function main(): Promise<void> {
  const connection = await hre.network.create();
  const network = publicNetwork(connection.networkName);
  const { deploymentDir, bookFile } = placesOf(hre.config.paths, network);
  const contracts = await contractsOf(deploymentDir, bookFile, network.deployment);
  await writeAll(join(deploymentDir, "verification"), contracts);
  if (process.env["PPIO_VERIFY_OFFLINE"] !== undefined) return;
  for (const contract of contracts) {
    for (const provider of PROVIDERS) {
      if (provider === "etherscan" && process.env["ETHERSCAN_API_KEY"] === undefined) continue;
      try {
        await verifyContract({ ...contract, provider }, hre);
      } catch (error) {
        console.error(`${contract.contract} on ${provider}: ${error instanceof Error ? error.message : String(error)}`);
        process.exitCode = 1;
      }
    }
  }
}

async function contractsOf(dir: string, bookFile: string, deployment: Parameters<typeof coreVerification>[1]): Promise<VerifyInfo[]> {
  const contracts: VerifyInfo[] = [];
  for await (const info of getVerificationInformation(dir)) {
    if (typeof info === "string") throw new PpioError("NOT_FOUND", `${info} has no compiler input in ${dir}; deploy with npm run deploy.`);
    contracts.push(info);
  }
  const addresses = JSON.parse(await readFile(join(dir, "deployed_addresses.json"), "utf8")) as Record<string, string>;
  const book = parseAddressBook(await readFile(bookFile, "utf8"));
  return [...contracts, ...coreVerification(book, deployment, addresses)];
}

async function writeAll(folder: string, contracts: readonly VerifyInfo[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const builds = new Set<string>();
  for (const { address, contract, constructorArgs, libraries } of contracts) {
    const artifact = await hre.artifacts.readArtifact(contract);
    const buildInfoId = await hre.artifacts.getBuildInfoId(contract);
    if (buildInfoId === undefined) throw new PpioError("NOT_FOUND", `${contract} has no compiler input; run npm run build.`);
    const encoded = new Interface(artifact.abi).encodeDeploy(constructorArgs);
    const compilerName = `${artifact.inputSourceName}:${artifact.contractName}`;
    const record = { address, contract, compilerName, constructorArgs: encoded, libraries, standardInput: `${buildInfoId}.json` };
    await atomicWriteFile(join(folder, `${artifact.contractName}.json`), text(record));
    if (builds.has(buildInfoId)) continue;
    builds.add(buildInfoId);
    const path = await hre.artifacts.getBuildInfoPath(buildInfoId);
    if (path === undefined) throw new PpioError("NOT_FOUND", `${buildInfoId} is missing; run npm run build.`);
    const { input, solcLongVersion } = JSON.parse(await readFile(path, "utf8")) as { input: unknown; solcLongVersion: string };
    await atomicWriteFile(join(folder, `${buildInfoId}.json`), text(input));
    console.log(`${buildInfoId}: solc ${solcLongVersion}`);
  }
  console.log(`wrote what ${contracts.length} contracts need to be verified to ${folder}`);
}

try {
  await main();
} catch (error) {
  console.error(isPpioError(error) ? error.message : error);
  process.exitCode = 1;
}
