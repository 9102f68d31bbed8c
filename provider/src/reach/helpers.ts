/** Asking other providers to connect back: some of the chain's, drawn at random, until enough have looked. */
import { randomBytes } from "node:crypto";
import { createProviderApi, type DialbackReport, type DialOutcome, dialbackAnswerMessage, dialbackRequestMessage } from "@ppio/core";
import { createNodeTransport } from "@ppio/daemon/http-client/transport";
import type { Signer } from "ethers";
import { hexlify } from "ethers";
import type { ProviderContext } from "../context.ts";
import { hostOf, isLocalChain } from "./addresses.ts";

const REPORTS_WANTED = 3;
const ASKED_MAX = 12;
const ASK_MS = 12_000;
const VALID_SECONDS = 90;
const OUTCOMES: ReadonlySet<string> = new Set<DialOutcome>([
  ...(["reached", "stranger", "forbidden", "unresolved", "refused", "silent", "tls", "broken"] as const),
]);

export interface HelperReport {
  readonly helperId: number;
  readonly outcome: DialOutcome;
  readonly address: string | undefined;
  readonly reason: string | undefined;
  /** How far the helper's clock is before ours, within half of the request's time. */
  readonly aheadMs: number | undefined;
}

export interface AskOptions extends Pick<ProviderContext, "chain" | "domain" | "providerId" | "now"> {
  readonly operator: Signer & { readonly address: string };
  /** As the chain names it. */
  readonly endpoint: string;
  /** Of [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** What helpers saw; "reached" only with this daemon's own signature. Never throws for a helper's sake. @throws when the chain does not answer */
export async function askHelpers(options: AskOptions): Promise<readonly HelperReport[]> {
  const { chain, providerId, random, signal } = options;
  const count = Number(await chain.registry.providerCount());
  const reports: HelperReport[] = [];
  const tried = new Set<number>([providerId]);
  for (let asked = 0; asked < ASKED_MAX && reports.length < REPORTS_WANTED && tried.size < count && !signal.aborted; ) {
    const helperId = draw(count, tried, random);
    tried.add(helperId);
    const { endpoint, evictedAtPeriod } = await chain.registry.getProvider(helperId);
    if (evictedAtPeriod !== 0n || isNeighbour(endpoint, options)) continue;
    asked += 1;
    const report = await askOne(helperId, endpoint, options).catch(() => undefined);
    if (report !== undefined) reports.push(report);
  }
  return reports;
}

/** One of [1, count] that was not tried. */
function draw(count: number, tried: ReadonlySet<number>, random: () => number): number {
  let id = 1 + Math.floor(random() * count);
  while (tried.has(id)) id = (id % count) + 1;
  return id;
}

/** Behind the same address it looks from the inside. */
function isNeighbour(endpoint: string, options: AskOptions): boolean {
  if (!URL.canParse(endpoint)) return true;
  if (isLocalChain(options.domain) || !URL.canParse(options.endpoint)) return false;
  return hostOf(new URL(endpoint)) === hostOf(new URL(options.endpoint));
}

async function askOne(helperId: number, endpoint: string, options: AskOptions): Promise<HelperReport> {
  const { domain, providerId, operator, now, signal } = options;
  const nonce = hexlify(randomBytes(32));
  const request = { providerId, helperId, nonce, expiry: Math.floor(now() / 1000) + VALID_SECONDS };
  const signature = await dialbackRequestMessage.sign(domain, request, operator);
  const askedAt = now();
  const bounds = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
  const transport = createNodeTransport();
  const report: Partial<DialbackReport> = await createProviderApi(endpoint, transport)
    .dialback({ request, signature }, bounds)
    .finally(() => transport.close());
  const { outcome, address, reason, echo, time } = report;
  if (outcome === undefined || !OUTCOMES.has(outcome)) throw new Error("the helper's report cannot be read");
  if (outcome === "reached") {
    const signer = dialbackAnswerMessage.recover(domain, { providerId, nonce }, String(echo));
    // It says so and cannot show it.
    if (signer !== operator.address) throw new Error("the helper's report is made up");
  }
  const aheadMs = Number.isSafeInteger(time) ? Number(time) - (askedAt + now()) / 2 : undefined;
  return { helperId, outcome, address: text(address), reason: text(reason), aheadMs };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value.slice(0, 100) : undefined;
}
