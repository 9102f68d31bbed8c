/** One sealed object in one deal. */
import { type Manifest, type ManifestPart, type ObjectHeader, planObject, SUITE_GCM_CTR } from "@ppio/core";
import { getBytes } from "ethers";
import type { Context } from "../context.ts";
import { createSealer } from "../seal/index.ts";
import { workersFor } from "../workers/pool.ts";
import { sealSource } from "./seal-source.ts";
import type { ObjectSource } from "./source.ts";
import { type StoreDealOptions, type StoredDeal, storeDeal } from "./store-deal.ts";

export interface StoreObjectOptions extends Omit<StoreDealOptions, "header" | "fill"> {
  readonly source: ObjectSource;
  readonly objectId: Uint8Array;
  readonly objectVersion: number;
  readonly contentType: string;
  readonly contentKey: Uint8Array;
  readonly wrappedKey: Uint8Array;
}

export interface StoredObject extends StoredDeal {
  readonly manifest: Manifest;
}

export async function storeObject(context: Context, options: StoreObjectOptions): Promise<StoredObject> {
  const { random, clock, applicationSecret } = context;
  const { source, k, n, cellBytes, objectId, objectVersion, contentKey } = options;
  const shape = { sizeBytes: source.sizeBytes, k, n, ...(cellBytes === undefined ? {} : { cellBytes }) };
  const plan = planObject(shape);
  const { header } = plan;
  const objectHeader: ObjectHeader = { suite: SUITE_GCM_CTR, frameBytes: plan.frameBytes };
  const salt = random(32);
  const fillKey = random(32);
  const seal = { contentKey, applicationSecret, salt, fillKey, objectId, objectVersion, objectHeader };
  const workers = workersFor(context.workers, source.sizeBytes);
  const sealed = sealSource({ plan: shape, source, seal, workers, hasher: context.sha256() });
  const stored = await storeDeal(context, {
    ...options,
    header,
    fill: sealed.fill,
    plainRowBytes: k * plan.frameBytes,
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
      wrappedKey: options.wrappedKey,
      parts: [part],
    },
  };
}
