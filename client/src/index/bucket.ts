/**
 * A bucket's listing: found through its head, read like any object, written as a new object in a deal of its own. The head moves by
 * compare-and-swap, so writers cannot lose each other's entries.
 */
import {
  type BucketIndex,
  decodeHead,
  decodeIndex,
  decodeManifest,
  encodeHead,
  encodeIndex,
  encodeManifest,
  type Manifest,
  PpioError,
} from "@ppio/core";
import { hexlify } from "ethers";
import type { Context } from "../context.ts";
import { readWhole } from "../get/read-object.ts";
import { bucketIdOf, listingKey, openSmall, sealSmall, unwrapKey, wrapKey } from "../keys/index.ts";
import type { ProviderView } from "../providers/list.ts";
import { bytesSource } from "../put/source.ts";
import { type CodeOptions, type StoredObject, storeObject } from "../put/store-object.ts";

const HEAD_LABEL = "ppio/v1/head";
const CONTENT_TYPE = "application/vnd.ppio.index";

export interface LoadedBucket {
  readonly index: BucketIndex;
  /** 0 for a bucket without a head. */
  readonly seq: number;
  /** The head's record, for the swap. */
  readonly raw: Uint8Array | undefined;
  /** Deal of the listing. */
  readonly dealId: string | undefined;
}

/** @throws USAGE */
export function checkBucketName(bucket: string): void {
  if (bucket === "" || bucket.includes("/") || bucket.length > 255) {
    throw new PpioError("USAGE", "A bucket's name has 1 to 255 characters and no slash.");
  }
}

function headContext(bucketId: Uint8Array, seq: number): Uint8Array {
  const out = new Uint8Array(40);
  out.set(bucketId);
  new DataView(out.buffer).setBigUint64(32, BigInt(seq));
  return out;
}

/** What a wrapped content key is bound to: object id 32 | object version u64. */
export function keyContext(objectId: Uint8Array, objectVersion: number): Uint8Array {
  return headContext(objectId, objectVersion);
}

async function openHead(context: Context, bucket: string): Promise<{ seq: number; raw: Uint8Array | undefined; manifest?: Manifest }> {
  const bucketId = bucketIdOf(context.masterSecret, bucket);
  const raw = await context.headStore.read(hexlify(bucketId).slice(2));
  if (raw === undefined) return { seq: 0, raw };
  const head = decodeHead(raw);
  if (hexlify(head.bucketId) !== hexlify(bucketId))
    throw new PpioError("CORRUPT", `The head of bucket "${bucket}" belongs to another bucket.`);
  const key = listingKey(context.masterSecret, bucket);
  const manifest = decodeManifest(await openSmall(key, HEAD_LABEL, head.sealedManifest, headContext(bucketId, head.seq)));
  return { seq: head.seq, raw, manifest };
}

/** The newest listing; an empty one for a bucket that was never written. */
export async function loadBucket(context: Context, bucket: string, signal?: AbortSignal): Promise<LoadedBucket> {
  checkBucketName(bucket);
  const { seq, raw, manifest } = await openHead(context, bucket);
  if (manifest === undefined) return { index: { bucket, entries: [] }, seq, raw, dealId: undefined };
  const wrapping = listingKey(context.masterSecret, bucket);
  const contentKey = await unwrapKey(wrapping, manifest.wrappedKey, keyContext(manifest.objectId, manifest.objectVersion));
  const bytes = await readWhole(context, { manifest, contentKey, ...(signal === undefined ? {} : { signal }) });
  const index = decodeIndex(bytes);
  if (index.bucket !== bucket) throw new PpioError("CORRUPT", `The listing of bucket "${bucket}" belongs to another bucket.`);
  return { index, seq, raw, dealId: hexlify(manifest.parts[0]?.dealId ?? new Uint8Array()) };
}

/** `loadBucket`, with `NOT_FOUND` for a bucket that was never written. */
export async function requireBucket(context: Context, bucket: string, signal?: AbortSignal): Promise<LoadedBucket> {
  const loaded = await loadBucket(context, bucket, signal);
  if (loaded.raw !== undefined) return loaded;
  throw new PpioError("NOT_FOUND", `There is no bucket "${bucket}"; list the buckets or store something in it.`, { details: { bucket } });
}

export interface StoredIndex {
  readonly stored: StoredObject;
  /** The head that will name it. */
  readonly head: Uint8Array;
}

/** Stores the listing that follows `loaded`; the head is not moved yet. */
export async function storeIndex(
  context: Context,
  options: CodeOptions & {
    readonly index: BucketIndex;
    readonly loaded: LoadedBucket;
    readonly providers: readonly ProviderView[];
    readonly promisedWei?: ReadonlyMap<number, bigint>;
    readonly signal?: AbortSignal;
  },
): Promise<StoredIndex> {
  const { index, loaded, signal, promisedWei } = options;
  const bucketId = bucketIdOf(context.masterSecret, index.bucket);
  const seq = loaded.seq + 1;
  const wrapping = listingKey(context.masterSecret, index.bucket);
  const contentKey = context.random(32);
  const stored = await storeObject(context, {
    ...options,
    periods: await periodsOfIndex(context, options.periods, loaded, signal),
    source: bytesSource(encodeIndex(index)),
    objectId: bucketId,
    objectVersion: seq,
    contentType: CONTENT_TYPE,
    contentKey,
    wrappedKey: await wrapKey(wrapping, contentKey, keyContext(bucketId, seq), context.random),
    ...(promisedWei === undefined ? {} : { promisedWei }),
    ...(signal === undefined ? {} : { signal }),
  });
  const plaintext = encodeManifest(stored.manifest);
  const sealedManifest = await sealSmall(wrapping, HEAD_LABEL, plaintext, headContext(bucketId, seq), context.random);
  return { stored, head: encodeHead({ bucketId, seq, sealedManifest }) };
}

/** A listing lives as long as the one before it, which covers all older objects, and as what is added. */
async function periodsOfIndex(context: Context, periods: number, loaded: LoadedBucket, signal: AbortSignal | undefined): Promise<number> {
  const { dealId } = loaded;
  if (dealId === undefined) return periods;
  const { chain } = context;
  const before = await chain.read("deal of the listing", () => chain.market.deal(dealId), signal);
  const current = Number(await chain.read("current period", () => chain.proofs.currentPeriod(), signal));
  return Math.max(periods, Number(before.end) - current);
}

/** Moves the head to a stored listing. @throws CONFLICT when another writer was faster */
export async function moveHead(context: Context, bucket: string, raw: Uint8Array | undefined, head: Uint8Array): Promise<void> {
  const bucketId = bucketIdOf(context.masterSecret, bucket);
  await context.headStore.swap(hexlify(bucketId).slice(2), raw, head);
}
