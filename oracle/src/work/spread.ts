/** How long oracles wait for each other, at most: short against what the chain gives time for. */
import type { OracleContext } from "../context.ts";

/** Of the lag after which a beacon is late; a beacon is due to everybody at once. */
const BEACON_SHARE = 0.15;
/** Of a period, for what has several of them. */
const PERIOD_SHARE = 0.4;
/** For misses: an eviction waits for them, and what shall be healed within the same period waits for the eviction. */
const MISS_SHARE = 0.1;
export const SPREAD_MS_MAX = 60_000;

type Chain = Pick<OracleContext, "chain">;

export async function beaconSpreadMsOf({ chain }: Chain): Promise<number> {
  return Math.min(SPREAD_MS_MAX, Number(await chain.beacon.maxLagSeconds()) * 1000 * BEACON_SHARE);
}

export function spreadMsOf(context: Chain): Promise<number> {
  return shareOfPeriodMs(context, PERIOD_SHARE);
}

export function missSpreadMsOf(context: Chain): Promise<number> {
  return shareOfPeriodMs(context, MISS_SHARE);
}

async function shareOfPeriodMs({ chain }: Chain, share: number): Promise<number> {
  return Math.min(SPREAD_MS_MAX, Number(await chain.proofs.periodSeconds()) * 1000 * share);
}
