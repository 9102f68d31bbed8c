/** Storing an object: sealed, coded, spread, dealt and listed. */

import { sha256 } from "@noble/hashes/sha2.js";
import { INLINE_BYTES_MAX, type IndexEntry, PpioError, payForSlot, planObject, slotBytes, withEntry } from "@ppio/core";
import { hexlify } from "ethers";
import type { Context } from "../context.ts";
import { entryOf, type LoadedBucket, loadBucket, storeIndex } from "../index/bucket.ts";
import { promisesOf } from "../providers/fit.ts";
import { type ProviderPool, poolProvidersSoon } from "../providers/list.ts";
import { selectPatiently } from "../providers/select.ts";
import { commit, type PutStage } from "./commit.ts";
import { createListingAhead } from "./listing-ahead.ts";
import { requireFunds } from "./open-deals.ts";
import type { ObjectSource } from "./source.ts";
import { storeData } from "./store-data.ts";
import { type CodeOptions, escrowWeiOf, type PreparedDeal } from "./store-deal.ts";
import { shapeOf } from "./store-object.ts";

export interface PutProgress {
  readonly stage: "sending" | PutStage;
  /** Slot bytes that providers have acknowledged, all slots together. */
  readonly sentBytes: number;
  readonly totalBytes: number;
}

export interface PutOptions extends Partial<Pick<CodeOptions, "cellBytes" | "spareCandidates">> {
  readonly bucket: string;
  readonly key: string;
  readonly source: ObjectSource;
  readonly k: number;
  readonly n: number;
  /** Periods that are paid for in advance. */
  readonly periods: number;
  readonly contentType?: string;
  readonly onProgress?: (progress: PutProgress) => void;
  readonly signal?: AbortSignal;
}

export interface PutResult {
  readonly bucket: string;
  readonly key: string;
  /** Deal that holds the object; nothing for one that lives in the listing. */
  readonly dealId: string | undefined;
  readonly indexDealId: string;
  readonly sizeBytes: number;
  /** Bytes on all providers, listing included. */
  readonly storedBytes: number;
  /** Bytes of those that were there already, by an earlier put of the same bytes that was cut. */
  readonly resumedBytes: number;
  /** 0x hex. */
  readonly sha256: string;
  /** Taken when the deals opened, listing included. */
  readonly escrowWei: bigint;
  readonly stages: readonly PutStage[];
  /** Largest number of slot bytes that were in memory at once. */
  readonly bytesInFlightMax: number;
  /** Passes over the source; more than one when providers failed. */
  readonly passes: number;
}

const SPARES_DEFAULT = 8;

export async function putObject(context: Context, options: PutOptions): Promise<PutResult> {
  const { bucket, key, source, signal } = options;
  const { bucketTurns } = context;
  checkKey(key);
  if (!Number.isSafeInteger(options.periods) || options.periods < 1) throw new PpioError("USAGE", "A deal pays for at least one period.");
  const code: CodeOptions = {
    k: options.k,
    n: options.n,
    periods: options.periods,
    spareCandidates: options.spareCandidates ?? SPARES_DEFAULT,
    ...(options.cellBytes === undefined ? {} : { cellBytes: options.cellBytes }),
  };
  const [loaded, providers] = await Promise.all([loadBucket(context, bucket, signal), poolProvidersSoon(context, options.n, signal)]);
  await requireFunds(context, await estimateEscrowWei(providers, code, source), signal);

  const progress = progressOf(options, code);
  const store = (
    on: LoadedBucket,
    entry: IndexEntry,
    promisedWei: ReadonlyMap<number, bigint>,
    extras: { avoid?: ReadonlySet<number>; signal?: AbortSignal },
  ) => storeIndex(context, { ...code, index: withEntry(on.index, key, entry), loaded: on, providers, promisedWei, ...extras });
  const ahead = createListingAhead((entry, promisedWei, inner) => store(loaded, entry, promisedWei, { signal: inner }), signal);
  const { entry, stored: data } = await storeData(context, {
    ...code,
    bucket,
    key,
    source,
    contentType: options.contentType ?? "application/octet-stream",
    before: entryOf(loaded, key),
    providers,
    onSent: progress.sent,
    // Whoever changes the bucket now would overtake it.
    onEntry: (described, candidates) => bucketTurns.isFree(bucket) && ahead.begin(described, promisesOf(candidates)),
    ...(signal === undefined ? {} : { signal }),
  }).catch(async (error: unknown) => {
    await ahead.close();
    throw error;
  });
  const list = async () => {
    const newest = await loadBucket(context, bucket, signal);
    if (newest.seq !== loaded.seq) await ahead.stop();
    const extras = { ...(data === undefined ? {} : { avoid: data.failed }), ...(signal === undefined ? {} : { signal }) };
    const listing = (await ahead.take()) ?? (await store(newest, entry, promises(data?.deal), extras));
    progress.stage("stored");
    const deals = [...(data === undefined ? [] : [data.deal]), listing.stored.deal];
    const superseded = [newest.dealId, dealIdOfEntry(entryOf(newest, key))].filter((dealId) => dealId !== undefined);
    const pending = { bucket, key, entry, code, deals, raw: newest.raw, head: listing.head, superseded };
    await commit(context, pending, { onDealt: data?.attempt.done, onStage: progress.stage, signal });
    return { listing, deals };
  };
  try {
    const { listing, deals } = await bucketTurns.take(bucket, list, signal);
    return {
      bucket,
      key,
      dealId: data?.deal.dealId,
      indexDealId: listing.stored.deal.dealId,
      sizeBytes: source.sizeBytes,
      storedBytes: (data?.storedBytes ?? 0) + listing.stored.storedBytes,
      resumedBytes: data?.resumedBytes ?? 0,
      sha256: hexlify(entry.content.kind === "inline" ? sha256(entry.content.bytes) : entry.content.manifest.sha256),
      escrowWei: deals.reduce((sum, deal) => sum + escrowWeiOf(deal), 0n),
      stages: progress.stages,
      bytesInFlightMax: data?.bytesInFlightMax ?? listing.stored.bytesInFlightMax,
      passes: data?.passes ?? listing.stored.passes,
    };
  } finally {
    await ahead.close();
    await data?.attempt.close();
  }
}

function checkKey(key: string): void {
  if (key === "" || new TextEncoder().encode(key).length > 1024) throw new PpioError("USAGE", "An object's key has 1 to 1024 bytes.");
}

/** Deal of a stored entry. */
export function dealIdOfEntry(entry: IndexEntry | undefined): string | undefined {
  if (entry?.content.kind !== "stored") return undefined;
  const part = entry.content.manifest.parts[0];
  return part === undefined ? undefined : hexlify(part.dealId);
}

/** Collateral that the offers of a deal will lock. */
function promises(deal: PreparedDeal | undefined): ReadonlyMap<number, bigint> {
  return new Map(deal?.offers.map((offer) => [offer.providerId, offer.collateralWei]));
}

/** What the data deal will take, from the providers' prices; the listing's deal comes on top and is small. */
async function estimateEscrowWei(pool: ProviderPool, code: CodeOptions, source: ObjectSource): Promise<bigint> {
  if (source.sizeBytes <= INLINE_BYTES_MAX) return 1n;
  const bytes = slotBytes(planObject(shapeOf({ ...code, source })).header);
  const chosen = await selectPatiently({ pool, code, slotBytes: bytes, needed: code.n, periods: code.periods, spares: 0 });
  const perPeriodWei = chosen.reduce((sum, { info }) => sum + payForSlot(BigInt(info.pricePerGibPeriodWei), bytes), 0n);
  return perPeriodWei * BigInt(code.periods);
}

function progressOf(options: PutOptions, code: CodeOptions) {
  const { source } = options;
  const totalBytes = source.sizeBytes <= INLINE_BYTES_MAX ? 0 : code.n * slotBytes(planObject(shapeOf({ ...code, source })).header);
  const stages: PutStage[] = [];
  let sentBytes = 0;
  return {
    stages,
    sent: (bytes: number): void => {
      sentBytes = Math.min(totalBytes, sentBytes + bytes);
      options.onProgress?.({ stage: "sending", sentBytes, totalBytes });
    },
    stage: (stage: PutStage): void => {
      stages.push(stage);
      options.onProgress?.({ stage, sentBytes: totalBytes, totalBytes });
    },
  };
}
