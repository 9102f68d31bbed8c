/**
 * From *stored* to *dealt* to *indexed*: journal, transaction, head. Every step can be repeated after a crash; the journal's record is
 * taken out last.
 */
import { isPpioError, PpioError, withEntry } from "@ppio/core";
import type { Context } from "../context.ts";
import { terminateDeals } from "../deals/terminate.ts";
import { entryOf, type LoadedBucket, loadBucket, moveHead, storeIndex } from "../index/bucket.ts";
import { addBucketName } from "../index/bucket-names.ts";
import { poolProvidersSoon } from "../providers/list.ts";
import { openDeals } from "./open-deals.ts";
import { type PendingPut, pendingId, sealPending } from "./pending.ts";

export type PutStage = "stored" | "dealt" | "indexed";

export interface CommitOptions {
  /** It is paid for, and the journal finishes the rest, whatever happens. */
  readonly onDealt?: (() => Promise<void>) | undefined;
  /** How far it got. */
  readonly onStage?: (stage: PutStage) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Opens the deals and moves the head. */
export async function commit(context: Context, pending: PendingPut, { onDealt, onStage, signal }: CommitOptions): Promise<void> {
  await context.journal.save(await sealPending(context, pending));
  try {
    await openDeals(context, pending.deals, signal);
  } catch (error) {
    if (isRefusal(error)) await context.journal.done(pendingId(pending));
    throw error;
  }
  await onDealt?.();
  onStage?.("dealt");
  await indexPending(context, pending, signal);
  onStage?.("indexed");
}

/** The contract said no: nothing was opened and nothing will be. */
function isRefusal(error: unknown): boolean {
  return error instanceof PpioError && !["CHAIN_UNREACHABLE", "TIMEOUT", "CANCELLED", "INTERNAL"].includes(error.code);
}

/** Lists the entry of opened deals; merges it into what other writers have listed meanwhile. */
export async function indexPending(context: Context, pending: PendingPut, signal?: AbortSignal): Promise<void> {
  const { bucket } = pending;
  await addBucketName(context, bucket);
  const superseded = [...pending.superseded];
  let { raw, head } = pending;
  let listing = pending.deals.at(-1)?.dealId;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await moveHead(context, bucket, raw, head);
      break;
    } catch (error) {
      if (!isPpioError(error, "CONFLICT") || attempt >= context.limits.headTriesMax) throw error;
    }
    const newest = await loadBucket(context, bucket, signal);
    // Another process may have listed the entry for us, in our own listing even.
    const isListed = isListedIn(newest, pending);
    if (listing !== undefined && !(isListed && listing === newest.dealId)) superseded.push(listing);
    if (isListed) break;
    if (newest.dealId !== undefined) superseded.push(newest.dealId);
    ({ raw, head, listing } = await mergeIndex(context, pending, newest, signal));
  }
  await context.journal.done(pendingId(pending));
  // Who stores waits for what is stored; who deletes, for what is gone.
  await terminateDeals(context, superseded, { isLetGo: pending.entry !== undefined, signal });
}

function isListedIn(bucket: LoadedBucket, { key, entry }: PendingPut): boolean {
  return entryOf(bucket, key)?.modifiedAt === entry?.modifiedAt;
}

/** A listing on top of the newest one, in a deal of its own. */
async function mergeIndex(context: Context, { key, entry, code }: PendingPut, newest: LoadedBucket, signal: AbortSignal | undefined) {
  const providers = await poolProvidersSoon(context, code.n, signal);
  const index = withEntry(newest.index, key, entry);
  const extras = signal === undefined ? {} : { signal };
  const { stored, head } = await storeIndex(context, { ...code, index, loaded: newest, providers, ...extras });
  await openDeals(context, [stored.deal], signal);
  return { raw: newest.raw, head, listing: stored.deal.dealId };
}
