/**
 * The deployment as a Hardhat Ignition module: which contracts, with what, after which. It is the only description: testnets run it
 * through Hardhat, the devnet through Ignition's own `deploy`. Contracts name each other in circles; all circles run through the market
 * or the proofs, whose addresses `CoreDeployer` knows before they exist (docs/adr/0008-deployment.md), so nothing here depends on a nonce.
 */
import { buildModule, type IgnitionModule } from "@nomicfoundation/ignition-core";
import { PossessionProofs__factory, StorageMarket__factory } from "@ppio/core/contracts";
import { keccak256, toUtf8Bytes } from "ethers";
import type { Deployment } from "./parameters.ts";

export const MODULE_ID = "Ppio";
const LIBRARIES = {
  Settlement: "project/contracts/market/Settlement.sol:Settlement",
  SlotTransfers: "project/contracts/market/SlotTransfers.sol:SlotTransfers",
} as const;

/** Byte offsets at which solc left room for a library's address. */
function offsetsOf(bytecode: string, library: string): number[] {
  const placeholder = `__$${keccak256(toUtf8Bytes(library)).slice(2, 36)}$__`;
  const parts = bytecode.slice(2).split(placeholder);
  const offsets: number[] = [];
  let digits = 0;
  for (const part of parts.slice(0, -1)) {
    digits += part.length;
    offsets.push(digits / 2);
    digits += placeholder.length;
  }
  if (offsets.length === 0) throw new Error(`StorageMarket does not use ${library}`);
  return offsets;
}

/** Creation code with zeros where libraries' addresses belong. */
function withoutLibraries(bytecode: string): string {
  return bytecode.replace(/__\$[0-9a-f]{34}\$__/g, "0".repeat(40));
}

export function buildPpioModule(deployment: Deployment): IgnitionModule {
  const { parameters, beacon: drand, genesisTime } = deployment;
  const { periodSeconds, seedDelaySeconds, reportWindowPeriods, reportDelayBlocks, samplesPerProof, unbondingSeconds } = parameters;
  return buildModule(MODULE_ID, (m) => {
    const administrators = deployment.administrators.length === 0 ? [m.getAccount(0)] : [...deployment.administrators];

    // What needs none of the others.
    const core = m.contract("CoreDeployer");
    const token = m.contract("PpioToken");
    const beacon = m.contract("DrandBeacon", [drand.publicKey, drand.genesisTime, parameters.roundSeconds, parameters.maxLagSeconds]);
    const timelock = m.contract("PpioTimelock", [parameters.timelockSeconds, administrators, administrators]);
    const settlement = m.library("Settlement");
    const slotTransfers = m.library("SlotTransfers");
    const buckets = m.contract("BucketRegistry");

    // What names the two that come last.
    const marketAt = m.staticCall(core, "market");
    const proofsAt = m.staticCall(core, "proofs");
    const policy = m.contract("PenaltyPolicy", [timelock, { ...parameters.penalties }]);
    const escrow = m.contract("BandwidthEscrow", [token, parameters.escrow.delaySeconds]);
    const sponsorPools = m.contract("SponsorPools", [marketAt]);
    const registry = m.contract("ProviderRegistry", [token, marketAt, proofsAt, unbondingSeconds]);
    const repair = m.contract("SlotRepair", [{ token, market: marketAt, beacon, seedDelaySeconds, ...parameters.repair }]);
    const { params, ...terms } = parameters.committee;
    const committee = m.contract("VerifierCommittee", [
      { token, proofs: proofsAt, penalties: proofsAt, fund: marketAt, owner: timelock, ...terms },
      { ...params },
    ]);
    const fraudProofs = m.contract("FraudProofs", [marketAt, registry, proofsAt]);
    const challenges = m.contract("SlotChallenges", [
      { token, market: marketAt, registry, beacon, timelock, seedDelaySeconds, ...parameters.challenges },
    ]);

    // These two close every circle.
    const proofsConfig = {
      ...{ registry, market: marketAt, policy, beacon, fraudProofs, committee, genesisTime, periodSeconds, seedDelaySeconds },
      ...{ reportWindowPeriods, reportDelayBlocks, samplesPerProof },
    };
    const marketConfig = { token, registry, proofs: proofsAt, policy, challenges, repair, committee };
    const marketCode = StorageMarket__factory.bytecode;
    const links = [
      { library_: settlement, offsets: offsetsOf(marketCode, LIBRARIES.Settlement) },
      { library_: slotTransfers, offsets: offsetsOf(marketCode, LIBRARIES.SlotTransfers) },
    ];
    const deployedProofs = m.call(core, "deployProofs", [PossessionProofs__factory.bytecode, proofsConfig]);
    const deployedMarket = m.call(core, "deployMarket", [withoutLibraries(marketCode), links, marketConfig]);
    const proofs = m.contractAt("PossessionProofs", proofsAt, { after: [deployedProofs] });
    const market = m.contractAt("StorageMarket", marketAt, { after: [deployedMarket] });

    return {
      ...{ core, settlement, slotTransfers, token, registry, market, proofs, policy, beacon, challenges, repair, fraudProofs },
      ...{ committee, escrow, buckets, sponsorPools, timelock },
    };
  });
}
