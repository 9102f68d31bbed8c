/** All that is known of one provider: what the chain has on record since it registered, and what this client has seen. */
import { PpioError } from "@ppio/core";
import type { BaseContract, LogDescription } from "ethers";
import type { Chain } from "../chain/chain.ts";
import { scanLogs } from "../chain/events.ts";
import type { Context } from "../context.ts";
import type { ServiceRecord } from "./service-record.ts";
import { readStanding, type ServiceScore, type Standing } from "./standing.ts";

/** For missed periods, for bad service, for a proven lie, or for the loss of single slots. */
export type SlashReason = "proofs" | "service" | "malice" | "slots";

export interface Slash {
  readonly reason: SlashReason;
  /** Missing for slots, whose losses are of no period. */
  readonly period?: number;
  readonly slashedWei: bigint;
}

export interface ProviderStanding {
  readonly providerId: number;
  /** Unix seconds of the block in which it registered. */
  readonly registeredAt: number;
  /** Since then, by the chain's clock. */
  readonly ageSeconds: number;
  readonly provenPeriods: number;
  /** Misses that were reported, warnings included. */
  readonly missedPeriods: number;
  /** Misses that cost nothing but the period's pay. */
  readonly warnings: number;
  /** Oldest first; none of 0 wei. */
  readonly slashes: readonly Slash[];
  /** Sum of the slashes. */
  readonly slashedWei: bigint;
  /** All scores that the verifier committee gave it, oldest first. */
  readonly scores: readonly (ServiceScore & { readonly reports: number })[];
  /** 0 while it is not. */
  readonly evictedAtPeriod: number;
  /** Other providers that the same owner registered and that were evicted. */
  readonly ownerEvictions: readonly number[];
  /** The part of it that selection goes by. */
  readonly recent: Standing;
  /** What this client has seen of it; missing when it never dealt with it. */
  readonly served?: ServiceRecord;
}

/** Periods whose proofs are counted in one call: 1,024 words of the bitmap. */
const PERIODS_PER_CALL = 2 ** 18;
/** Other providers of an owner that are looked at, the newest ones. */
const SIBLINGS_MAX = 256;
/** Tier of a miss, as `PeriodMissed` names it, that takes no collateral. */
const WARNING = 0n;

/** @throws the chain's refusal of an id that nobody has */
export async function providerStanding(context: Context, providerId: number, signal?: AbortSignal): Promise<ProviderStanding> {
  const { chain, service } = context;
  const { registry, proofs, committee, provider } = chain;
  const record = await chain.read("provider", () => registry.getProvider(providerId), signal);
  const currentPeriod = Number(await chain.read("current period", () => proofs.currentPeriod(), signal));
  const topics = ["ProviderRegistered", "CollateralSlashed"].map((name) => topicOf(registry, name));
  topics.push(
    ...["PeriodMissed", "MaliceProven", "ServiceSlashed"].map((name) => topicOf(proofs, name)),
    topicOf(committee, "ProviderScored"),
  );
  const address = await Promise.all([registry, proofs, committee].map(async (contract) => (await contract.getAddress()).toLowerCase()));
  const logs = await scanLogs(chain, { address, topics: [topics, topicOfId(providerId)] }, signal);
  const events = logs.flatMap((log) => {
    const contract = [registry, proofs, committee][address.indexOf(log.address.toLowerCase())];
    const event = contract?.interface.parseLog(log);
    return event === null || event === undefined ? [] : [{ event, blockNumber: log.blockNumber }];
  });
  const named = (name: string): LogDescription[] => events.flatMap(({ event }) => (event.name === name ? [event] : []));

  const bornIn = events.find(({ event }) => event.name === "ProviderRegistered")?.blockNumber;
  if (bornIn === undefined) throw new PpioError("INTERNAL", `The registration of provider ${providerId} is not among the chain's events.`);
  const [born, latest] = await chain.read("ages", () => Promise.all([provider.getBlock(bornIn), provider.getBlock("latest")]), signal);
  const missed = named("PeriodMissed");
  const slashes = slashesOf(events.map(({ event }) => event));
  await service.ready();
  const served = service.recordOf(providerId);
  return {
    providerId,
    registeredAt: born?.timestamp ?? 0,
    ageSeconds: (latest?.timestamp ?? 0) - (born?.timestamp ?? 0),
    provenPeriods: await countProven(chain, providerId, currentPeriod, signal),
    missedPeriods: missed.length,
    warnings: missed.filter(({ args }) => args["tier"] === WARNING).length,
    slashes,
    slashedWei: slashes.reduce((sum, { slashedWei }) => sum + slashedWei, 0n),
    scores: named("ProviderScored").map(({ args }) => {
      return { score: Number(args["score"]), term: Number(args["term"]), reports: Number(args["reports"]) };
    }),
    evictedAtPeriod: Number(record.evictedAtPeriod),
    ownerEvictions: await evictionsOf(chain, providerId, record.owner, signal),
    recent: await readStanding(chain, providerId, currentPeriod, signal),
    ...(served === undefined ? {} : { served }),
  };
}

/** Each slash moves collateral first and is named after: what nobody names was for a slot. */
function slashesOf(events: readonly LogDescription[]): Slash[] {
  const REASONS: Readonly<Record<string, SlashReason>> = { PeriodMissed: "proofs", ServiceSlashed: "service", MaliceProven: "malice" };
  const slashes: Slash[] = [];
  for (const { name, args } of events) {
    const reason = REASONS[name];
    const slashedWei = reason === undefined ? args["amountWei"] : args["slashedWei"];
    if (typeof slashedWei !== "bigint" || slashedWei === 0n) continue;
    if (reason === undefined) {
      if (name === "CollateralSlashed") slashes.push({ reason: "slots", slashedWei });
      continue;
    }
    const last = slashes.at(-1);
    if (last?.reason === "slots" && last.slashedWei === slashedWei) slashes.pop();
    slashes.push({ reason, period: Number(args["period"]), slashedWei });
  }
  return slashes;
}

async function countProven(chain: Chain, providerId: number, until: number, signal: AbortSignal | undefined): Promise<number> {
  let sum = 0n;
  for (let from = 0; from < until; from += PERIODS_PER_CALL) {
    const to = Math.min(until, from + PERIODS_PER_CALL);
    sum += await chain.read("proven periods", () => chain.proofs.provenCount(providerId, from, to), signal);
  }
  return Number(sum);
}

async function evictionsOf(chain: Chain, providerId: number, owner: string, signal: AbortSignal | undefined): Promise<number[]> {
  const { registry } = chain;
  const topics = [topicOf(registry, "ProviderRegistered"), null, topicOfId(BigInt(owner))];
  const logs = await scanLogs(chain, { address: await registry.getAddress(), topics }, signal);
  const siblings = logs.map((log) => Number(log.topics[1])).filter((id) => id !== providerId);
  const evicted: number[] = [];
  for (const id of siblings.slice(-SIBLINGS_MAX)) {
    const { evictedAtPeriod } = await chain.read("provider", () => registry.getProvider(id), signal);
    if (evictedAtPeriod !== 0n) evicted.push(id);
  }
  return evicted;
}

function topicOf(contract: BaseContract, name: string): string {
  const event = contract.interface.getEvent(name);
  if (event === null) throw new PpioError("INTERNAL", `No contract has an event ${name}.`);
  return event.topicHash;
}

function topicOfId(value: number | bigint): string {
  return `0x${value.toString(16).padStart(64, "0")}`;
}
