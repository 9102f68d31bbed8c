/** How long oracles wait for each other, at most: short against what the chain gives time for. */
import type { OracleContext } from "../context.ts";

/** Of the lag after which a beacon is late; a beacon is due to everybody at once. */
const BEACON_SHARE = 0.15;
/** Of a period, for what has several of them. */
const PERIOD_SHARE = 0.4;
export const SPREAD_MS_MAX = 60_000;

type Chain = Pick<OracleContext, "chain">;

export async function beaconSpreadMsOf({ chain }: Chain): Promise<number> {
  return Math.min(SPREAD_MS_MAX, Number(await chain.beacon.maxLagSeconds()) * 1000 * BEACON_SHARE);
}

export async function spreadMsOf({ chain }: Chain): Promise<number> {
  return Math.min(SPREAD_MS_MAX, Number(await chain.proofs.periodSeconds()) * 1000 * PERIOD_SHARE);
}
