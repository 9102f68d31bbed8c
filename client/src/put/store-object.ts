/** One sealed object in one deal. */
import { dealIdOf, type Manifest, type ManifestPart, type ObjectHeader, planObject, SUITE_GCM_CTR } from "@ppio/core";
import { getBytes, hexlify } from "ethers";
import type { Context } from "../context.ts";
import { keyContext, wrapKey, wrappingKey } from "../keys/index.ts";
import type { Candidate } from "../providers/fit.ts";
import { createSealer } from "../seal/index.ts";
import { workersFor } from "../workers/pool.ts";
import type { Attempt } from "./attempt.ts";
import { sealSource } from "./seal-source.ts";
import type { ObjectSource } from "./source.ts";
import { type StoreDealOptions, type StoredDeal, storeDeal } from "./store-deal.ts";

export interface StoreObjectOptions extends Omit<StoreDealOptions, "header" | "fill" | "attempt" | "onRooted"> {
  readonly bucket: string;
  readonly key: string;
  readonly source: ObjectSource;
  readonly objectId: Uint8Array;
  readonly contentType: string;
  readonly attempt: Attempt;
  /** The manifest that this will end with, once the whole source was read; and who may serve the object. */
  readonly onDescribed?: (manifest: Manifest, candidates: readonly Candidate[]) => void;
}

export interface StoredObject extends StoredDeal {
  readonly manifest: Manifest;
}

export async function storeObject(context: Context, options: StoreObjectOptions): Promise<StoredObject> {
  const { chain, random, clock, applicationSecret, masterSecret } = context;
  const { bucket, key, source, objectId, attempt } = options;
  const { objectVersion, contentKey, salt, fillKey } = attempt;
  const shape = shapeOf(options);
  const plan = planObject(shape);
  const { header } = plan;
  const objectHeader: ObjectHeader = { suite: SUITE_GCM_CTR, frameBytes: plan.frameBytes };
  const seal = { contentKey, applicationSecret, salt, fillKey, objectId, objectVersion, objectHeader };
  const workers = workersFor(context.workers, source.sizeBytes);
  const sealed = sealSource({ plan: shape, source, seal, workers, hasher: context.sha256(), marks: attempt });
  const part: ManifestPart = {
    dealId: getBytes(dealIdOf(chain.domain, await chain.address(), hexlify(attempt.dealSalt))),
    dealSalt: attempt.dealSalt,
    header,
    offset: 0,
    sizeBytes: source.sizeBytes,
    salt,
    fillKey,
    commitment: createSealer(seal, header.cellBytes).commitment,
  };
  const wrappedKey = await wrapKey(wrappingKey(masterSecret, bucket, key), contentKey, keyContext(objectId, objectVersion), random);
  let manifest: Manifest | undefined;
  const describe = (): Manifest => {
    manifest ??= {
      objectId,
      objectVersion,
      objectHeader,
      sizeBytes: source.sizeBytes,
      sha256: sealed.digest(),
      createdAt: clock.nowMs(),
      contentType: options.contentType,
      wrappedKey,
      parts: [part],
    };
    return manifest;
  };
  const stored = await storeDeal(context, {
    ...options,
    header,
    fill: sealed.fill,
    workers: workers.size,
    onRooted: (candidates) => options.onDescribed?.(describe(), candidates),
  });
  return { ...stored, manifest: describe() };
}

/** What the layout of an object depends on. */
export function shapeOf({ source, k, n, cellBytes }: Pick<StoreObjectOptions, "source" | "k" | "n" | "cellBytes">) {
  return { sizeBytes: source.sizeBytes, k, n, ...(cellBytes === undefined ? {} : { cellBytes }) };
}
