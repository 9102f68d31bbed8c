/** What explorers must be told of the two contracts that another contract created; of the others Ignition knows it. */
import type { VerifyInfo } from "@nomicfoundation/ignition-core";
import type { AddressBook } from "@ppio/core";
import { MODULE_ID } from "./module.ts";
import type { Deployment } from "./parameters.ts";

export function coreVerification(book: AddressBook, deployment: Deployment, addresses: Readonly<Record<string, string>>): VerifyInfo[] {
  const { token, registry, market, proofs, policy, beacon, challenges, repair, fraudProofs, committee } = book;
  const { periodSeconds, seedDelaySeconds, reportWindowPeriods, reportDelayBlocks, samplesPerProof } = deployment.parameters;
  const library = (name: string): string => addresses[`${MODULE_ID}#${name}`] ?? "";
  return [
    {
      address: market,
      contract: "contracts/StorageMarket.sol:StorageMarket",
      constructorArgs: [{ token, registry, proofs, policy, challenges, repair, committee }],
      libraries: { Settlement: library("Settlement"), SlotTransfers: library("SlotTransfers") },
    },
    {
      address: proofs,
      contract: "contracts/PossessionProofs.sol:PossessionProofs",
      constructorArgs: [
        {
          ...{ registry, market, policy, beacon, fraudProofs, committee, genesisTime: deployment.genesisTime, periodSeconds },
          ...{ seedDelaySeconds, reportWindowPeriods, reportDelayBlocks, samplesPerProof },
        },
      ],
      libraries: {},
    },
  ];
}
