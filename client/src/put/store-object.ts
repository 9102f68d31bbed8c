/** One sealed object in one deal. */
import { type Manifest, type ManifestPart, type ObjectHeader, planObject, SUITE_GCM_CTR } from "@ppio/core";
import { getBytes } from "ethers";
import type { Context } from "../context.ts";
import { keyContext, wrapKey, wrappingKey } from "../keys/index.ts";
import { createSealer } from "../seal/index.ts";
import { workersFor } from "../workers/pool.ts";
import type { Attempt } from "./attempt.ts";
import { sealSource } from "./seal-source.ts";
import type { ObjectSource } from "./source.ts";
import { type StoreDealOptions, type StoredDeal, storeDeal } from "./store-deal.ts";

export interface StoreObjectOptions extends Omit<StoreDealOptions, "header" | "fill" | "attempt"> {
  readonly bucket: string;
  readonly key: string;
  readonly source: ObjectSource;
  readonly objectId: Uint8Array;
  readonly contentType: string;
  readonly attempt: Attempt;
}

export interface StoredObject extends StoredDeal {
  readonly manifest: Manifest;
}

export async function storeObject(context: Context, options: StoreObjectOptions): Promise<StoredObject> {
  const { random, clock, applicationSecret, masterSecret } = context;
  const { bucket, key, source, objectId, attempt } = options;
  const { objectVersion, contentKey, salt, fillKey } = attempt;
  const shape = shapeOf(options);
  const plan = planObject(shape);
  const { header } = plan;
  const objectHeader: ObjectHeader = { suite: SUITE_GCM_CTR, frameBytes: plan.frameBytes };
  const seal = { contentKey, applicationSecret, salt, fillKey, objectId, objectVersion, objectHeader };
  const workers = workersFor(context.workers, source.sizeBytes);
  const sealed = sealSource({ plan: shape, source, seal, workers, hasher: context.sha256(), marks: attempt });
  const stored = await storeDeal(context, {
    ...options,
    header,
    fill: sealed.fill,
    workers: workers.size,
  });
  const { deal } = stored;
  const part: ManifestPart = {
    dealId: getBytes(deal.dealId),
    dealSalt: getBytes(deal.terms.dealSalt),
    header,
    offset: 0,
    sizeBytes: source.sizeBytes,
    salt,
    fillKey,
    commitment: createSealer(seal, header.cellBytes).commitment,
  };
  return {
    ...stored,
    manifest: {
      objectId,
      objectVersion,
      objectHeader,
      sizeBytes: source.sizeBytes,
      sha256: sealed.digest(),
      createdAt: clock.nowMs(),
      contentType: options.contentType,
      wrappedKey: await wrapKey(wrappingKey(masterSecret, bucket, key), contentKey, keyContext(objectId, objectVersion), random),
      parts: [part],
    },
  };
}

/** What the layout of an object depends on. */
export function shapeOf({ source, k, n, cellBytes }: Pick<StoreObjectOptions, "source" | "k" | "n" | "cellBytes">) {
  return { sizeBytes: source.sizeBytes, k, n, ...(cellBytes === undefined ? {} : { cellBytes }) };
}
