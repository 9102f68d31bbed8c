// Where a deployment is written down and where its address book goes. A rehearsal against a local chain that calls itself Sepolia has
// places of its own, so that it can never be taken for the real thing: PPIO_REHEARSAL is that chain's RPC address.
import { join } from "node:path";
import type { PublicNetwork } from "../cli/dist/deploy/networks.js";

export interface Places {
  readonly deploymentDir: string;
  readonly bookFile: string;
  readonly rehearsalUrl: string | undefined;
}

export function placesOf(paths: { readonly root: string; readonly ignition: string }, network: PublicNetwork): Places {
  const rehearsalUrl = process.env["PPIO_REHEARSAL"];
  const name = rehearsalUrl === undefined ? network.name : `rehearsal-${network.name}`;
  return {
    deploymentDir: join(paths.ignition, "deployments", name),
    bookFile: join(paths.root, "networks", `${name}.json`),
    rehearsalUrl,
  };
}
