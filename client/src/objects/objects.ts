/** Objects by their names: look up, read, list, delete. Storing is put/put-object.ts. */
import { type IndexEntry, type Manifest, PpioError, withEntry } from "@ppio/core";
import type { Context } from "../context.ts";
import { terminateDeals } from "../deals/terminate.ts";
import { type ByteRange, readObject } from "../get/read-object.ts";
import { entryOf, type LoadedBucket, requireBucket, storeIndex } from "../index/bucket.ts";
import { keyContext, unwrapKey, wrappingKey } from "../keys/index.ts";
import { poolProvidersSoon } from "../providers/list.ts";
import { commit } from "../put/commit.ts";
import { dealIdOfEntry } from "../put/put-object.ts";
import type { CodeOptions } from "../put/store-deal.ts";
import { describeEntry, type ObjectInfo } from "./object-info.ts";

export interface ObjectName {
  readonly bucket: string;
  readonly key: string;
}

export interface ObjectReader {
  readonly info: ObjectInfo;
  /** Bytes of the range, or of the whole object, in order; each was verified and decrypted. */
  readonly bytes: AsyncGenerator<Uint8Array>;
}

/** @throws NOT_FOUND for an unknown bucket or key */
async function findEntry(context: Context, name: ObjectName, signal?: AbortSignal): Promise<{ entry: IndexEntry; loaded: LoadedBucket }> {
  const loaded = await requireBucket(context, name.bucket, signal);
  const entry = entryOf(loaded, name.key);
  if (entry !== undefined) return { entry, loaded };
  throw new PpioError("NOT_FOUND", `There is no object "${name.key}" in bucket "${name.bucket}"; list the bucket to see what there is.`, {
    details: { ...name },
  });
}

export async function statObject(context: Context, name: ObjectName, signal?: AbortSignal): Promise<ObjectInfo> {
  return describeEntry(name.bucket, (await findEntry(context, name, signal)).entry);
}

/** Objects whose key begins with `prefix`, in key order. */
export async function listObjects(context: Context, bucket: string, prefix = "", signal?: AbortSignal): Promise<ObjectInfo[]> {
  const { index } = await requireBucket(context, bucket, signal);
  return index.entries.filter((entry) => entry.key.startsWith(prefix)).map((entry) => describeEntry(bucket, entry));
}

export async function openObject(
  context: Context,
  options: ObjectName & { readonly range?: ByteRange; readonly signal?: AbortSignal },
): Promise<ObjectReader> {
  const { bucket, key, range, signal } = options;
  const { entry } = await findEntry(context, options, signal);
  const { content } = entry;
  const info = describeEntry(bucket, entry);
  if (range !== undefined) checkRange(range, info.sizeBytes);
  if (content.kind === "inline") {
    const from = range?.offset ?? 0;
    return { info, bytes: once(content.bytes.subarray(from, from + (range?.length ?? content.bytes.length))) };
  }
  const { manifest } = content;
  const contentKey = await openContentKey(context, bucket, key, manifest);
  const extras = { ...(range === undefined ? {} : { range }), ...(signal === undefined ? {} : { signal }) };
  return { info, bytes: readObject(context, { manifest, contentKey, ...extras }) };
}

function openContentKey(context: Context, bucket: string, key: string, manifest: Manifest): Promise<Uint8Array> {
  const wrapping = wrappingKey(context.masterSecret, bucket, key);
  return unwrapKey(wrapping, manifest.wrappedKey, keyContext(manifest.objectId, manifest.objectVersion));
}

function checkRange({ offset, length }: ByteRange, sizeBytes: number): void {
  const isWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!isWhole || offset > sizeBytes) {
    throw new PpioError("USAGE", `The range ${offset}+${length} is not inside the object's ${sizeBytes} bytes.`);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export interface DeletedObject extends ObjectName {
  /** Deal that held it and is ended now, with what was left of its escrow given back; nothing for an inline object. */
  readonly dealId: string | undefined;
}

/** Takes an object out of its bucket's listing, then ends its deal. */
export async function deleteObject(context: Context, name: ObjectName, signal?: AbortSignal): Promise<DeletedObject> {
  const dealId = await context.bucketTurns.take(name.bucket, () => unlistObject(context, name, signal), signal);
  if (dealId !== undefined) await terminateDeals(context, [dealId], { signal });
  return { bucket: name.bucket, key: name.key, dealId };
}

/** @returns the object's deal, which nothing needs any more */
async function unlistObject(context: Context, name: ObjectName, signal: AbortSignal | undefined): Promise<string | undefined> {
  const { bucket, key } = name;
  const { entry, loaded } = await findEntry(context, name, signal);
  const code = await codeOfListing(context, loaded, signal);
  const providers = await poolProvidersSoon(context, code.n, signal);
  const extras = signal === undefined ? {} : { signal };
  const index = withEntry(loaded.index, key, undefined);
  const { stored, head } = await storeIndex(context, { ...code, index, loaded, providers, ...extras });
  const superseded = loaded.dealId === undefined ? [] : [loaded.dealId];
  await commit(context, { bucket, key, entry: undefined, code, deals: [stored.deal], raw: loaded.raw, head, superseded }, { signal });
  return dealIdOfEntry(entry);
}

/** A listing without an entry is stored as the one with it was. */
async function codeOfListing(context: Context, loaded: LoadedBucket, signal: AbortSignal | undefined): Promise<CodeOptions> {
  const { chain } = context;
  const { dealId } = loaded;
  if (dealId === undefined) throw new PpioError("INTERNAL", "A bucket with a head has a listing.");
  const deal = await chain.read("deal of the listing", () => chain.market.deal(dealId), signal);
  return { k: Number(deal.k), n: Number(deal.n), periods: 1, spareCandidates: 4 };
}
