/** An object's bytes on providers, or in its listing's entry when they are few; goes on with an attempt that was cut. */
import { INLINE_BYTES_MAX, type IndexEntry, isPpioError, type Manifest, planObject } from "@ppio/core";
import type { Context } from "../context.ts";
import { objectIdOf } from "../keys/index.ts";
import type { Candidate } from "../providers/fit.ts";
import type { ProviderPool } from "../providers/list.ts";
import { type Attempt, beginAttempt } from "./attempt.ts";
import { type ObjectSource, readFully } from "./source.ts";
import type { CodeOptions } from "./store-deal.ts";
import { type StoredObject, shapeOf, storeObject } from "./store-object.ts";

export interface StoreDataOptions extends CodeOptions {
  readonly bucket: string;
  readonly key: string;
  readonly source: ObjectSource;
  readonly contentType: string;
  /** What has this name now. */
  readonly before: IndexEntry | undefined;
  readonly providers: ProviderPool;
  readonly onSent: (bytes: number) => void;
  /** The entry that this will end with, once the whole source was read; told again when all begins anew. */
  readonly onEntry?: (entry: IndexEntry, candidates: readonly Candidate[]) => void;
  readonly signal?: AbortSignal;
}

export interface StoredData {
  readonly entry: IndexEntry;
  /** Nothing for one that lives in the listing. */
  readonly stored?: StoredObject & { readonly attempt: Attempt };
}

/** Whoever calls closes the attempt. */
export async function storeData(context: Context, options: StoreDataOptions): Promise<StoredData> {
  const { bucket, key, source, contentType, before } = options;
  const versionBefore = before?.modifiedAt ?? 0;
  if (source.sizeBytes <= INLINE_BYTES_MAX) {
    const bytes = await readFully(source, source.sizeBytes);
    const modifiedAt = Math.max(context.clock.nowMs(), versionBefore + 1);
    return { entry: { key, modifiedAt, content: { kind: "inline", bytes, contentType } } };
  }
  const objectId = objectIdOf(context.masterSecret, bucket, key);
  const { header } = planObject(shapeOf(options));
  for (;;) {
    const attempt = await beginAttempt(context, { objectId, sizeBytes: source.sizeBytes, header, versionBefore });
    try {
      const entryOf = (manifest: Manifest): IndexEntry => {
        return { key, modifiedAt: attempt.objectVersion, content: { kind: "stored", manifest } };
      };
      const object = await storeObject(context, {
        ...options,
        objectId,
        attempt,
        onDescribed: (manifest, candidates) => options.onEntry?.(entryOf(manifest), candidates),
      });
      return { entry: entryOf(object.manifest), stored: { ...object, attempt } };
    } catch (error) {
      // The source is not what it was sealed from: nothing may be sealed under this attempt's salt any more.
      const isChanged = isPpioError(error, "CONFLICT");
      if (isChanged) await attempt.done();
      await attempt.close();
      if (!isChanged || !attempt.isResumed) throw error;
      context.log.info("the source is another one than that of the interrupted put; it is stored from its beginning");
    }
  }
}
