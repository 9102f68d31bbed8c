/**
 * A bucket's listing: a sealed record in a deal of its own, found through the bucket's head and written anew with every change. The head
 * moves by compare-and-swap, so writers cannot lose each other's entries.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import {
  type BucketHead,
  type BucketIndex,
  decodeHead,
  decodeIndex,
  encodeHead,
  encodeIndex,
  equalBytes,
  type IndexEntry,
  isPpioError,
  PpioError,
} from "@ppio/core";
import { getBytes, hexlify } from "ethers";
import type { Context } from "../context.ts";
import { readRecord } from "../get/read-record.ts";
import { bucketIdOf, keyContext, listingKey } from "../keys/index.ts";
import type { ProviderPool } from "../providers/list.ts";
import type { CodeOptions, StoredDeal } from "../put/store-deal.ts";
import { storeRecord } from "../put/store-record.ts";
import { openRecord, type RecordKeys, sealRecord } from "../seal/index.ts";

export interface LoadedBucket {
  readonly index: BucketIndex;
  /** 0 for a bucket without a head. */
  readonly seq: number;
  /** The head's record, for the swap. */
  readonly raw: Uint8Array | undefined;
  /** Deal of the listing. */
  readonly dealId: string | undefined;
}

/** What has this name now. */
export function entryOf({ index }: LoadedBucket, key: string): IndexEntry | undefined {
  return index.entries.find((entry) => entry.key === key);
}

/** @throws USAGE */
export function checkBucketName(bucket: string): void {
  if (bucket === "" || bucket.includes("/") || bucket.length > 255) {
    throw new PpioError("USAGE", "A bucket's name has 1 to 255 characters and no slash.");
  }
}

/** A listing is bound to its bucket and to its place in the bucket's history. */
function listingKeys(context: Context, bucket: string, seq: number): RecordKeys {
  const { masterSecret, applicationSecret } = context;
  const key = listingKey(masterSecret, bucket);
  return { key, applicationSecret, context: keyContext(bucketIdOf(masterSecret, bucket), seq) };
}

/** The newest listing; an empty one for a bucket that was never written. @throws CORRUPT, WRONG_KEY */
export async function loadBucket(context: Context, bucket: string, signal?: AbortSignal): Promise<LoadedBucket> {
  checkBucketName(bucket);
  const bucketId = bucketIdOf(context.masterSecret, bucket);
  const raw = await context.headStore.read(hexlify(bucketId).slice(2));
  if (raw === undefined) return { index: { bucket, entries: [] }, seq: 0, raw, dealId: undefined };
  const head = decodeHead(raw);
  if (!equalBytes(head.bucketId, bucketId)) throw new PpioError("CORRUPT", `The head of bucket "${bucket}" belongs to another bucket.`);
  const dealId = hexlify(head.dealId);
  const index = await context.listings.get(hexlify(raw), () => readListing(context, bucket, head, signal));
  return { index, seq: head.seq, raw, dealId };
}

async function readListing(context: Context, bucket: string, head: BucketHead, signal: AbortSignal | undefined): Promise<BucketIndex> {
  const sealed = await readRecord(context, { dealId: hexlify(head.dealId), offset: head.offset, length: head.length }, signal);
  if (!equalBytes(sha256(sealed), head.hash)) {
    throw new PpioError("CORRUPT", `The head of bucket "${bucket}" does not fit the listing that it names; restore the head.`);
  }
  const index = decodeIndex(await openRecord(listingKeys(context, bucket, head.seq), sealed));
  if (index.bucket !== bucket) throw new PpioError("CORRUPT", `The listing of bucket "${bucket}" belongs to another bucket.`);
  return index;
}

/** `loadBucket`, with `NOT_FOUND` for a bucket that was never written. */
export async function requireBucket(context: Context, bucket: string, signal?: AbortSignal): Promise<LoadedBucket> {
  const loaded = await loadBucket(context, bucket, signal);
  if (loaded.raw !== undefined) return loaded;
  throw new PpioError("NOT_FOUND", `There is no bucket "${bucket}"; list the buckets or store something in it.`, { details: { bucket } });
}

export interface StoredIndex {
  readonly stored: StoredDeal;
  /** The head that will name it. */
  readonly head: Uint8Array;
}

/** Stores the listing that follows `loaded`; the head is not moved yet. @throws NOT_ENOUGH_PROVIDERS */
export async function storeIndex(
  context: Context,
  options: CodeOptions & {
    readonly index: BucketIndex;
    readonly loaded: LoadedBucket;
    readonly providers: ProviderPool;
    readonly promisedWei?: ReadonlyMap<number, bigint>;
    readonly avoid?: ReadonlySet<number>;
    readonly signal?: AbortSignal;
  },
): Promise<StoredIndex> {
  const { index, loaded, signal } = options;
  const seq = loaded.seq + 1;
  const record = await sealRecord(listingKeys(context, index.bucket, seq), encodeIndex(index), context.random);
  const terms = await termsOfIndex(context, options, loaded, signal);
  const stored = await storeRecord(context, { ...options, ...terms, record }).catch((error: unknown) => {
    if (!isPpioError(error, "NOT_ENOUGH_PROVIDERS") || terms.n <= options.n) throw error;
    const why = `The listing of bucket "${index.bucket}" is kept at ${terms.k}/${terms.n} because an object in it is`;
    throw new PpioError(error.code, `${why}: ${error.message}`, { details: error.details, cause: error });
  });
  const head: BucketHead = {
    bucketId: bucketIdOf(context.masterSecret, index.bucket),
    seq,
    dealId: getBytes(stored.deal.dealId),
    offset: 0,
    length: record.length,
    hash: sha256(record),
  };
  return { stored, head: encodeHead(head) };
}

type IndexTerms = Pick<CodeOptions, "k" | "n" | "periods">;

/**
 * A listing lives as long as the one before it, which covers all older objects, and as what is added; and it outlives the loss of
 * as many slots as the one of them that bears the most: what cannot be found is lost.
 */
async function termsOfIndex(
  context: Context,
  added: IndexTerms,
  loaded: LoadedBucket,
  signal: AbortSignal | undefined,
): Promise<IndexTerms> {
  const { k, n, periods } = added;
  const { dealId } = loaded;
  if (dealId === undefined) return { k, n, periods };
  const { chain } = context;
  const deal = await chain.read("deal of the listing", () => chain.market.deal(dealId), signal);
  const current = Number(await chain.read("current period", () => chain.proofs.currentPeriod(), signal));
  const before = { k: Number(deal.k), n: Number(deal.n) };
  return { ...sturdier({ k, n }, before), periods: Math.max(periods, Number(deal.end) - current) };
}

type Code = Pick<CodeOptions, "k" | "n">;

/** The code that bears the loss of more slots; of two that bear the same, the one that needs fewer. */
export function sturdier(a: Code, b: Code): Code {
  const more = a.n - a.k - (b.n - b.k);
  if (more !== 0) return more > 0 ? a : b;
  return a.k <= b.k ? a : b;
}

/** Moves the head to a stored listing. @throws CONFLICT when another writer was faster */
export async function moveHead(context: Context, bucket: string, raw: Uint8Array | undefined, head: Uint8Array): Promise<void> {
  const bucketId = bucketIdOf(context.masterSecret, bucket);
  await context.headStore.swap(hexlify(bucketId).slice(2), raw, head);
}
