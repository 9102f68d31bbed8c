/** Providers as a listing shows them, made up. */
import { type ReadTermsBody, readTermsBody } from "@ppio/core";
import type { ProviderPool, ProviderView } from "../../../client/dist/providers/list.js";
import type { ServiceRecord } from "../../../client/dist/providers/service-record.js";

export const NOW_MS = 1_800_000_000_000;
export const SLOT_BYTES = 1 << 20;
export const GWEI = 1_000_000_000n;

export interface Made {
  readonly owner?: string;
  readonly failureDomain?: string;
  readonly endpoint?: string;
  readonly freeBytes?: number;
  readonly freeCollateralWei?: bigint;
  /** Per GiB and period, in gwei. */
  readonly priceGwei?: bigint;
  /** Of reads, per GiB. */
  readonly readPriceGwei?: bigint;
  readonly provenPeriods?: number;
  readonly missedPeriods?: number;
  readonly score?: number;
  readonly latencyMs?: number;
  readonly served?: ServiceRecord;
  readonly problem?: string;
}

/** Vetted, with room, and alone in its network, by default. */
export function viewOf(providerId: number, made: Made = {}): ProviderView {
  const { provenPeriods = 700, missedPeriods = 0, priceGwei = 1_024_000n, freeBytes = 100 * SLOT_BYTES, score, served, problem } = made;
  return {
    providerId,
    owner: made.owner ?? `0xowner${providerId}`,
    operator: `0xoperator${providerId}`,
    operatorEpoch: 1,
    endpoint: made.endpoint ?? `http://10.${providerId >> 8}.${providerId & 0xff}.1:4100`,
    failureDomain: made.failureDomain ?? `domain ${providerId}`,
    pricePerGibPeriodWei: priceGwei * GWEI,
    capacityBytes: freeBytes,
    collateralWei: 0n,
    freeCollateralWei: made.freeCollateralWei ?? 10n ** 30n,
    evictedAtPeriod: 0,
    standing: { windowPeriods: 720, provenPeriods, missedPeriods, ...(score === undefined ? {} : { score: { score, term: 1 } }) },
    info: {
      version: 1,
      providerId,
      operator: "",
      operatorEpoch: 1,
      chainId: 1,
      market: "",
      pricePerGibPeriodWei: (priceGwei * GWEI).toString(),
      collateralPeriods: 200,
      freeBytes,
      maxReadBytes: 1 << 20,
      ...(made.readPriceGwei === undefined ? {} : { reads: readTermsOf(made.readPriceGwei) }),
    },
    latencyMs: made.latencyMs ?? 20,
    ...(served === undefined ? {} : { served }),
    ...(problem === undefined ? {} : { problem }),
  };
}

function readTermsOf(priceGwei: bigint): ReadTermsBody {
  const address = `0x${"11".repeat(20)}`;
  return readTermsBody({ pricePerGibWei: priceGwei * GWEI, payee: address, escrow: address, creditBytes: 0 });
}

export function poolOf(views: readonly ProviderView[], seed = 1): ProviderPool {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, seed);
  return { views, seed: bytes, nowMs: NOW_MS };
}

/** Failed `agoMs` ago and not to be chosen for `forMs` from now. */
export function heldFor(forMs: number, agoMs: number, kind: "refused" | "stalled" | "vanished" | "lied" = "stalled"): ServiceRecord {
  const failure = { kind, atMs: NOW_MS - agoMs, untilMs: NOW_MS + forMs };
  return { seenAtMs: NOW_MS - agoMs, failures: 1, lies: kind === "lied" ? 1 : 0, failure };
}
