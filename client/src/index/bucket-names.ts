/**
 * The user's own list of bucket names: one sealed record of the head store, under an id that no bucket can have. In it: version u8, then
 * the names as a JSON array.
 */
import { isPpioError, PpioError } from "@ppio/core";
import { hexlify } from "ethers";
import type { Context } from "../context.ts";
import { bucketIdOf, listingKey } from "../keys/index.ts";
import { openRecord, type RecordKeys, sealRecord } from "../seal/index.ts";

const VERSION = 1;
const BUCKETS_MAX = 10_000;
const NO_NAME = "";

interface Names {
  readonly names: readonly string[];
  readonly raw: Uint8Array | undefined;
}

function idOf(context: Context): string {
  return hexlify(bucketIdOf(context.masterSecret, NO_NAME)).slice(2);
}

function keysOf({ masterSecret, applicationSecret }: Context): RecordKeys {
  return { key: listingKey(masterSecret, NO_NAME), applicationSecret, context: bucketIdOf(masterSecret, NO_NAME) };
}

async function load(context: Context): Promise<Names> {
  const raw = await context.headStore.read(idOf(context));
  if (raw === undefined) return { names: [], raw };
  const plain = await openRecord(keysOf(context), raw);
  const names: unknown = plain[0] === VERSION ? JSON.parse(new TextDecoder().decode(plain.subarray(1))) : undefined;
  if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) {
    throw new PpioError("BAD_FORMAT", "The list of bucket names is malformed; restore the folder of bucket heads.");
  }
  return { names: names as string[], raw };
}

export async function listBucketNames(context: Context): Promise<readonly string[]> {
  return (await load(context)).names;
}

/** Adds a name; nothing happens when it is there. */
export async function addBucketName(context: Context, bucket: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { names, raw } = await load(context);
    if (names.includes(bucket)) return;
    if (names.length >= BUCKETS_MAX) throw new PpioError("TOO_LARGE", `There are ${BUCKETS_MAX} buckets already; use one of them.`);
    const text = new TextEncoder().encode(JSON.stringify([...names, bucket].sort()));
    const plain = new Uint8Array([VERSION, ...text]);
    try {
      await context.headStore.swap(idOf(context), raw, await sealRecord(keysOf(context), plain, context.random));
      return;
    } catch (error) {
      if (!isPpioError(error, "CONFLICT") || attempt >= context.limits.headTriesMax) throw error;
    }
  }
}
