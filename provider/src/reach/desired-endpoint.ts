/** Which endpoint belongs on the chain, from what is configured, what the router gave and what is there now. */

import { isIP } from "node:net";
import { addressKind, hostOf, urlOf } from "./addresses.ts";
import type { Mapping } from "./mapper.ts";
import type { ReachConfig } from "./options.ts";

export interface EndpointFacts {
  readonly config: Pick<ReachConfig, "publicEndpoint" | "acme" | "acmeDomain" | "publicPort">;
  /** What the daemon itself speaks. */
  readonly scheme: "http" | "https";
  readonly port: number;
  readonly mapping: Mapping | undefined;
  readonly isMapping: boolean;
  readonly registered: string;
}

export type DesiredEndpoint =
  | { readonly kind: "known"; readonly endpoint: string }
  /** The one on the chain stays: a name, which somebody else keeps up to date, or there is nothing to say. */
  | { readonly kind: "kept" }
  /** A certificate is for a name, and none is known. */
  | { readonly kind: "needs-name" }
  /** The router's own address is not public. */
  | { readonly kind: "not-public"; readonly address: string };

export function desiredEndpoint({ config, scheme, port, mapping, isMapping, registered }: EndpointFacts): DesiredEndpoint {
  if (config.publicEndpoint !== "") return { kind: "known", endpoint: config.publicEndpoint.replace(/\/+$/, "") };
  const current = URL.canParse(registered) ? new URL(registered) : undefined;
  const publicPort = mapping?.externalPort ?? (config.publicPort === 0 ? port : config.publicPort);
  if (config.acme) {
    // Until the router has answered, which port it gives is not known.
    if (isMapping && mapping === undefined) return { kind: "kept" };
    return { kind: "known", endpoint: urlOf("https", config.acmeDomain.toLowerCase(), publicPort) };
  }
  const isName = current !== undefined && isIP(hostOf(current)) === 0;
  if (isName) return { kind: "kept" };
  if (mapping === undefined) return { kind: "kept" };
  if (scheme === "https") return { kind: "needs-name" };
  // A proxy that ends TLS stands before us: what it is reached by is not ours to say.
  if (current?.protocol === "https:") return { kind: "kept" };
  if (addressKind(mapping.externalAddress) !== "public") return { kind: "not-public", address: mapping.externalAddress };
  return { kind: "known", endpoint: urlOf("http", mapping.externalAddress, publicPort) };
}

/** Two ways to write one endpoint are one. */
export function isSameEndpoint(one: string, other: string): boolean {
  if (!URL.canParse(one) || !URL.canParse(other)) return one === other;
  const [a, b] = [new URL(one), new URL(other)];
  return a.href.replace(/\/+$/, "") === b.href.replace(/\/+$/, "");
}
