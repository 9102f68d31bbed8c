/** The endpoint that the chain names: whether it is one, where its name leads, and whether it is the one that belongs there. */
import { isIP } from "node:net";
import { addressKind, hostOf } from "./addresses.ts";
import { isSameEndpoint } from "./desired-endpoint.ts";
import { resolve } from "./dial.ts";
import { type Finding, finding } from "./findings.ts";
import type { ReachConfig } from "./options.ts";
import type { ReachState } from "./reach-state.ts";

const RESOLVE_MS = 5_000;

export interface EndpointCheck {
  readonly endpoint: string;
  readonly state: ReachState | undefined;
  readonly config: Pick<ReachConfig, "publicEndpoint" | "publish">;
  /** On a local chain private addresses are the right ones. */
  readonly isLocal: boolean;
  readonly signal: AbortSignal;
}

export async function checkEndpoint({ endpoint, state, config, isLocal, signal }: EndpointCheck): Promise<readonly Finding[]> {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return [
      finding("endpoint-missing", `The chain names "${endpoint}", which is no address; set publicEndpoint and let the daemon publish it.`),
    ];
  }
  const found: (Finding | undefined)[] = [checkPublished(endpoint, config, state), checkScheme(url, state)];
  const host = hostOf(url);
  const addresses = await resolve(host, AbortSignal.any([signal, AbortSignal.timeout(RESOLVE_MS)]));
  const [first] = addresses;
  const external = state?.mapping.status === "mapped" ? state.mapping.mapping.externalAddress : undefined;
  if (first === undefined) {
    found.push(
      finding("endpoint-unresolved", `The name ${host} leads nowhere; make a DNS record for it, or correct its spelling on the chain.`),
    );
  } else if (!isLocal && !addresses.some((address) => addressKind(address) === "public")) {
    const message = `${endpoint} leads to ${first}, which customers cannot reach; publish a public address or a name that leads to one.`;
    found.push(finding("endpoint-private", message));
  } else if (external !== undefined && addressKind(external) === "public" && !addresses.includes(external)) {
    const todo = isIP(host) === 0 ? "correct the DNS record, or set dynamicDnsUrl" : "set publish, or publicEndpoint to where it is now";
    found.push(finding("endpoint-elsewhere", `${endpoint} leads to ${first}, but the router's address is ${external}; ${todo}.`));
  } else {
    found.push(finding("endpoint-ok", `The chain names ${endpoint}, which leads to ${first}.`));
  }
  return found.filter((one) => one !== undefined);
}

function checkPublished(endpoint: string, config: EndpointCheck["config"], state: ReachState | undefined): Finding | undefined {
  if (state?.publishFailure !== undefined) {
    const todo = "see that the operator has coin for gas";
    return finding("endpoint-not-published", `The endpoint on the chain could not be changed (${state.publishFailure}); ${todo}.`);
  }
  if (state?.needsName === true) {
    const why = "The daemon serves TLS, and a certificate is for a name";
    return finding("endpoint-needs-name", `${why}; set publicEndpoint to https://NAME:PORT, or leave TLS off.`);
  }
  const { publicEndpoint, publish } = config;
  if (publicEndpoint === "" || isSameEndpoint(endpoint, publicEndpoint)) return undefined;
  const todo = publish ? "the daemon changes it within a minute when it runs" : "set publish, or change one of them";
  return finding("endpoint-not-published", `The chain names ${endpoint}, but publicEndpoint is ${publicEndpoint}; ${todo}.`);
}

/** HTTPS on the chain and plain HTTP here is a proxy that ends TLS; the other way round nothing works. */
function checkScheme(url: URL, state: ReachState | undefined): Finding | undefined {
  if (url.protocol !== "http:" || state?.url.startsWith("https:") !== true) return undefined;
  return finding("endpoint-scheme", `The daemon serves TLS, but the chain names ${url.origin}; publish it with https.`);
}
