/** The public networks that the contracts are prepared for. Nothing secret is here: RPC addresses with keys stay in the environment. */
import { PpioError } from "@ppio/core";
import { publicKeyForEvm } from "@ppio/core/drand";
import { getBytes, hexlify } from "ethers";
import { type Deployment, type DrandParameters, L1_PARAMETERS, L2_PARAMETERS } from "./parameters.ts";

export interface PublicNetwork {
  readonly name: string;
  readonly chainId: number;
  /** Public RPC endpoint for the address book; everybody may use it or name another in a copy of the book. */
  readonly rpcUrl: string;
  readonly beaconUrl: string;
  /** Blocks after which a transaction counts as final for the deployment. */
  readonly confirmations: number;
  readonly deployment: Deployment;
}

/** drand's quicknet (docs/protocol/beacon.md); the same values as in test/vectors/drand.json. */
const QUICKNET_HASH = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
const QUICKNET_KEY =
  "0x83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
const QUICKNET: DrandParameters = { publicKey: hexlify(publicKeyForEvm(getBytes(QUICKNET_KEY))), genesisTime: 1_692_803_367 };
const QUICKNET_URL = `https://api.drand.sh/${QUICKNET_HASH}`;
/** 2026-11-01 00:00 UTC: periods begin on the hour. */
const GENESIS_TIME = 1_793_491_200;

const NETWORKS: readonly PublicNetwork[] = [
  {
    name: "sepolia",
    chainId: 11_155_111,
    rpcUrl: "https://ethereum-sepolia-rpc.publicnode.com",
    beaconUrl: QUICKNET_URL,
    confirmations: 3,
    deployment: { parameters: L1_PARAMETERS, beacon: QUICKNET, genesisTime: GENESIS_TIME, administrators: [] },
  },
  {
    name: "base-sepolia",
    chainId: 84_532,
    rpcUrl: "https://sepolia.base.org",
    beaconUrl: QUICKNET_URL,
    confirmations: 5,
    deployment: { parameters: L2_PARAMETERS, beacon: QUICKNET, genesisTime: GENESIS_TIME, administrators: [] },
  },
];

export function publicNetwork(name: string): PublicNetwork {
  const network = NETWORKS.find((known) => known.name === name);
  if (network !== undefined) return network;
  const known = NETWORKS.map((each) => each.name).join(", ");
  throw new PpioError("USAGE", `"${name}" is no network that the contracts are prepared for; choose one of ${known}.`);
}
