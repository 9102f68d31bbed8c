/** The demonstration's acts, each on the real network; nothing in here knows how it will end. */
import { createHash, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { PutResult } from "@ppio/client";
import { PpioError } from "@ppio/core";
import { pause } from "@ppio/daemon";
import { openSource } from "../client/files.ts";
import { isRunning } from "../devnet/state.ts";
import { formatTokens } from "../output.ts";
import { createEventFeed, type FeedEvent, tierName } from "./event-feed.ts";
import type { DemoNetwork } from "./network.ts";

export interface Stage {
  readonly network: DemoNetwork;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export const BUCKET = "demo";
export const CODE = { k: 4, n: 8 } as const;
const PERIODS = 360;
const SAMPLE_BYTES = 16 * 2 ** 20;
const POLL_MS = 500;
const PATIENCE_MS = 150_000;

/** A file of random bytes, as incompressible as what people store. */
export async function makeSampleFile(dir: string): Promise<string> {
  const path = join(dir, "sample.bin");
  const handle = await open(path, "w", 0o600);
  try {
    for (let at = 0; at < SAMPLE_BYTES; at += 2 ** 20) await handle.write(randomBytes(2 ** 20));
  } finally {
    await handle.close();
  }
  return path;
}

export interface StoredFile extends PutResult {
  readonly dealId: string;
}

/** A file so small that it lives in its bucket's listing is in the listing's deal. */
export async function storeFile({ network, signal }: Stage, path: string): Promise<StoredFile> {
  const opened = await openSource(path);
  try {
    const result = await network.opened.client.put({
      bucket: BUCKET,
      key: opened.name,
      source: opened.source,
      ...CODE,
      periods: PERIODS,
      signal,
    });
    return { ...result, dealId: result.dealId ?? result.indexDealId };
  } finally {
    await opened.close();
  }
}

/** SHA-256 of what the network gives back, 0x hex. */
export async function readBack({ network, signal }: Stage, key: string): Promise<string> {
  const { bytes } = await network.opened.client.get({ bucket: BUCKET, key, signal });
  const hash = createHash("sha256");
  for await (const piece of bytes) hash.update(piece);
  return `0x${hash.digest("hex")}`;
}

/** Shows events as they come until `isDone`. @throws TIMEOUT */
async function watch(stage: Stage, what: string, onEvent: (event: FeedEvent) => void, isDone: () => boolean): Promise<void> {
  const { network, signal } = stage;
  const { rpc } = network.opened;
  const feed = createEventFeed(rpc, network.book, network.contracts, await rpc.getBlockNumber());
  const deadline = Date.now() + PATIENCE_MS;
  while (!isDone()) {
    if (signal.aborted) throw new PpioError("CANCELLED", "Stopped.");
    if (Date.now() > deadline)
      throw new PpioError("TIMEOUT", `Waited ${PATIENCE_MS / 1000} s for ${what} in vain; see the logs in ${network.paths.logs}.`);
    for (const event of await feed.next()) onEvent(event);
    await pause(POLL_MS, signal);
  }
}

/** Waits until every provider of the deal has proven the same `wanted` periods, all slots' tenures begun. */
export async function waitForProofs(stage: Stage, dealId: string, wanted: number): Promise<readonly number[]> {
  const { network, say } = stage;
  const deal = await network.opened.client.deal(dealId);
  const first = Math.max(...deal.slots.map(({ fromPeriod }) => fromPeriod));
  const providers = new Set(deal.slots.map(({ provider }) => provider.providerId));
  const provenBy = new Map<number, Set<number>>();
  const complete = (): number[] => [...provenBy].filter(([, by]) => by.size === providers.size).map(([period]) => period);
  const onEvent = ({ block, event }: FeedEvent): void => {
    if (event.name !== "PeriodProven") return;
    const providerId = Number(event.args["providerId"]);
    const period = Number(event.args["period"]);
    if (!providers.has(providerId) || period < first) return;
    const by = provenBy.get(period) ?? new Set();
    provenBy.set(period, by.add(providerId));
    if (by.size === providers.size) say(`  block ${block}: period ${period} is proven by all ${by.size} providers`);
  };
  await watch(stage, "proofs", onEvent, () => complete().length >= wanted);
  return complete();
}

export interface Killed {
  readonly providerId: number;
  readonly slotIndex: number;
  readonly pid: number;
}

/** Ends `count` providers of the deal without warning. */
export async function killProviders({ network, say }: Stage, dealId: string, count: number): Promise<readonly Killed[]> {
  const deal = await network.opened.client.deal(dealId);
  const killed: Killed[] = [];
  for (const slot of deal.slots.slice(0, count)) {
    const { providerId } = slot.provider;
    const { name } = network.state.providers.find((provider) => provider.providerId === providerId) ?? { name: "" };
    const process_ = network.state.processes.find((candidate) => candidate.name === name);
    if (process_ === undefined || !(await isRunning(process_))) throw new PpioError("INTERNAL", `Provider ${providerId} does not run.`);
    process.kill(process_.pid, "SIGKILL");
    killed.push({ providerId, slotIndex: slot.slotIndex, pid: process_.pid });
    say(`  SIGKILL to provider ${providerId} (process ${process_.pid}), which holds slot ${slot.slotIndex}`);
  }
  return killed;
}

export interface Penalties {
  misses: number;
  warnings: number;
  slashes: number;
  slashedWei: bigint;
}

/** Shows misses and what they cost until the killed providers are evicted and their slots are vacant. */
export async function watchPenalties(stage: Stage, dealId: string, killed: readonly Killed[]): Promise<Penalties> {
  const { say } = stage;
  const ids = new Set(killed.map(({ providerId }) => providerId));
  const vacant = new Set<number>();
  const totals: Penalties = { misses: 0, warnings: 0, slashes: 0, slashedWei: 0n };
  const onEvent = ({ block, event }: FeedEvent): void => {
    const { name, args } = event;
    const providerId = Number(args["providerId"]);
    if (!ids.has(providerId)) return;
    if (name === "PeriodMissed") {
      const slashedWei: bigint = args["slashedWei"];
      totals.misses += 1;
      totals.warnings += slashedWei === 0n ? 1 : 0;
      totals.slashes += slashedWei === 0n ? 0 : 1;
      totals.slashedWei += slashedWei;
      const cost = slashedWei === 0n ? "" : `, ${formatTokens(slashedWei)} taken`;
      say(`  block ${block}: provider ${providerId} missed period ${args["period"]}: ${tierName(args["tier"])}${cost}`);
    } else if (name === "ProviderEvicted") {
      say(`  block ${block}: provider ${providerId} is evicted`);
    } else if (name === "SlotVacated" && args["dealId"] === dealId) {
      vacant.add(Number(args["slotIndex"]));
      say(`  block ${block}: slot ${args["slotIndex"]} of the deal is vacant`);
    }
  };
  await watch(stage, "the eviction", onEvent, () => killed.every(({ slotIndex }) => vacant.has(slotIndex)));
  return totals;
}

/** Shows how providers refill every slot of the user's deals that was lost since a block, and says how many. @throws TIMEOUT */
export async function watchHealing({ network, say, signal }: Stage, fromBlock: number): Promise<number> {
  const { client } = network.opened;
  const { repair } = network.contracts;
  const isWhole = async (): Promise<boolean> => {
    const deals = (await client.listDeals(undefined, signal)).filter(({ status }) => status === "Active");
    const views = await Promise.all(deals.map(({ dealId }) => client.deal(dealId, signal)));
    return views.every(({ slots }) => slots.every(({ status, provider }) => status === "Filled" && !provider.evicted));
  };
  const deadline = Date.now() + PATIENCE_MS;
  for (let told = 0; ; ) {
    if (signal.aborted) throw new PpioError("CANCELLED", "Stopped.");
    if (Date.now() > deadline)
      throw new PpioError("TIMEOUT", `Waited ${PATIENCE_MS / 1000} s for repairs in vain; see the logs in ${network.paths.logs}.`);
    // Before the events are read: what healed since then is told in the next round.
    const isDone = await isWhole();
    const repaired = await repair.queryFilter(repair.filters.SlotRepaired(), fromBlock);
    for (const { args, blockNumber } of repaired.slice(told)) {
      say(`  block ${blockNumber}: slot ${args.slotIndex} of deal ${args.dealId.slice(0, 10)}… is on provider ${args.providerId} now`);
    }
    told = repaired.length;
    if (isDone) return told;
    await pause(POLL_MS, signal);
  }
}
