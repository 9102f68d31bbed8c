/** Whether customers can come, from inside and from outside, and what to do when they cannot. Changes nothing. */
import { randomBytes } from "node:crypto";
import { hexlify } from "ethers";
import type { ProviderContext } from "../context.ts";
import { isLocalChain } from "./addresses.ts";
import { checkClock } from "./check-clock.ts";
import { checkEndpoint } from "./check-endpoint.ts";
import { checkAddress, checkMapping } from "./check-mapping.ts";
import { checkOutside } from "./check-outside.ts";
import { checkTls, type ServedCertificate } from "./check-tls.ts";
import { dial } from "./dial.ts";
import { type Finding, finding, type ReachReport } from "./findings.ts";
import { type AskOptions, askHelpers } from "./helpers.ts";
import type { ReachState } from "./reach-state.ts";

export interface SelfTestOptions extends Pick<ProviderContext, "chain" | "config" | "domain" | "providerId" | "now"> {
  readonly operator: AskOptions["operator"];
  /** Undefined when no daemon has left one. */
  readonly state: ReachState | undefined;
  /** What the daemon serves with: undefined for plain HTTP, "none" while the first one is awaited. */
  readonly certificate: ServedCertificate;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** @throws CHAIN_UNREACHABLE and its kin: without the chain nothing can be said */
export async function runSelfTest(options: SelfTestOptions): Promise<ReachReport> {
  const { chain, config, domain, operator, providerId, state, now, random, signal, certificate } = options;
  const { endpoint } = await chain.registry.getProvider(providerId);
  const [listening, named, reports, blockTime] = await Promise.all([
    checkListener(options),
    checkEndpoint({ endpoint, state, config, isLocal: isLocalChain(domain), signal }),
    askHelpers({ chain, domain, providerId, operator, endpoint, now, random, signal }),
    newestBlockTime(chain),
  ]);
  const outside = checkOutside(reports, state);
  const findings: readonly (Finding | undefined)[] = [
    listening,
    ...named,
    outside.finding,
    checkClock(reports, blockTime, now()),
    checkTls(certificate, endpoint, state, now()),
    checkMapping(state, outside.isReachable === true),
    checkAddress(state),
    state?.dnsFailure === undefined ? undefined : finding("dns-failed", state.dnsFailure),
  ];
  return {
    at: now(),
    providerId,
    endpoint,
    isReachable: outside.isReachable,
    findings: findings.filter((one) => one !== undefined),
  };
}

async function checkListener({ state, providerId, operator, domain, signal }: SelfTestOptions): Promise<Finding> {
  if (state === undefined) {
    return finding("listener-unknown", "No daemon has run with this data folder; start it with the same settings and check again.");
  }
  const url = localUrl(state.url);
  const { outcome } = await dial({
    endpoint: url,
    nonce: hexlify(randomBytes(32)),
    providerId,
    operator: operator.address,
    domain,
    allowsPrivate: true,
    trustsAnyCertificate: true,
    signal,
  });
  if (outcome === "reached") return finding("listener-ok", `The daemon answers at ${state.url}.`);
  const why = outcome === "stranger" ? "another program answers" : "nothing answers";
  return finding("listener-silent", `At ${state.url} ${why}; start the daemon, and see its log when it does not stay up.`);
}

/** Who listens on all addresses is asked on this machine's own. */
function localUrl(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

async function newestBlockTime({ rpc }: Pick<ProviderContext, "chain">["chain"]): Promise<number | undefined> {
  const block = await rpc.getBlock("latest").catch(() => null);
  return block === null ? undefined : block.timestamp * 1_000;
}
