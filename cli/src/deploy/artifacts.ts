/** Ignition's artifacts out of the TypeChain factories that `ppio` carries, so that a devnet needs neither Hardhat nor its folders. */
import type { Artifact, ArtifactResolver } from "@nomicfoundation/ignition-core";
import { PpioError } from "@ppio/core";
import * as factories from "@ppio/core/contracts";

interface Factory {
  readonly abi: readonly unknown[];
  readonly bytecode: string;
}

function loadArtifact(contractName: string): Artifact {
  const factory = (factories as unknown as Readonly<Record<string, Factory | undefined>>)[`${contractName}__factory`];
  if (factory === undefined) throw new PpioError("INTERNAL", `There is no contract ${contractName}; run npm run build.`);
  return {
    _format: "hh3-artifact-1",
    contractName,
    sourceName: `contracts/${contractName}.sol`,
    abi: [...factory.abi],
    // Contracts with libraries are linked on the chain (CoreDeployer): what is asked for here has none.
    ...{ bytecode: factory.bytecode, deployedBytecode: "0x", linkReferences: {}, deployedLinkReferences: {} },
  };
}

export const typechainArtifacts: ArtifactResolver = {
  loadArtifact: async (contractName) => loadArtifact(contractName),
  getBuildInfo: async () => undefined,
};
