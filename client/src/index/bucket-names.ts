/** The user's own list of bucket names: one sealed record of the head store, under a bucket id that no name can have. */
import { decodeHead, encodeHead, isPpioError, PpioError } from "@ppio/core";
import { hexlify } from "ethers";
import type { Context } from "../context.ts";
import { bucketIdOf, listingKey, openSmall, sealSmall } from "../keys/index.ts";

const LABEL = "ppio/v1/bucket-names";
const BUCKETS_MAX = 10_000;
const NO_NAME = "";

interface Names {
  readonly seq: number;
  readonly names: readonly string[];
  readonly raw: Uint8Array | undefined;
}

function recordId(context: Context): Uint8Array {
  return bucketIdOf(context.masterSecret, NO_NAME);
}

async function load(context: Context): Promise<Names> {
  const raw = await context.headStore.read(hexlify(recordId(context)).slice(2));
  if (raw === undefined) return { seq: 0, names: [], raw };
  const head = decodeHead(raw);
  const opened = await openSmall(listingKey(context.masterSecret, NO_NAME), LABEL, head.sealedManifest, recordId(context));
  const names: unknown = JSON.parse(new TextDecoder().decode(opened));
  if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) {
    throw new PpioError("BAD_FORMAT", "The list of bucket names is malformed; restore the folder of bucket heads.");
  }
  return { seq: head.seq, names: names as string[], raw };
}

export async function listBucketNames(context: Context): Promise<readonly string[]> {
  return (await load(context)).names;
}

/** Adds a name; nothing happens when it is there. */
export async function addBucketName(context: Context, bucket: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { seq, names, raw } = await load(context);
    if (names.includes(bucket)) return;
    if (names.length >= BUCKETS_MAX) throw new PpioError("TOO_LARGE", `There are ${BUCKETS_MAX} buckets already; use one of them.`);
    const plaintext = new TextEncoder().encode(JSON.stringify([...names, bucket].sort()));
    const bucketId = recordId(context);
    const sealedManifest = await sealSmall(listingKey(context.masterSecret, NO_NAME), LABEL, plaintext, bucketId, context.random);
    try {
      await context.headStore.swap(hexlify(bucketId).slice(2), raw, encodeHead({ bucketId, seq: seq + 1, sealedManifest }));
      return;
    } catch (error) {
      if (!isPpioError(error, "CONFLICT") || attempt >= context.limits.headTriesMax) throw error;
    }
  }
}
