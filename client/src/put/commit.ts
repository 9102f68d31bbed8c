/**
 * From *stored* to *dealt* to *indexed*: journal, transaction, head. Every step can be repeated after a crash; the journal's record is
 * taken out last.
 */
import { isPpioError, PpioError, withEntry } from "@ppio/core";
import type { Context } from "../context.ts";
import { terminateDeals } from "../deals/terminate.ts";
import { loadBucket, moveHead, storeIndex } from "../index/bucket.ts";
import { addBucketName } from "../index/bucket-names.ts";
import { listProviders } from "../providers/list.ts";
import { openDeals } from "./open-deals.ts";
import { type PendingPut, pendingId, sealPending } from "./pending.ts";

export type PutStage = "stored" | "dealt" | "indexed";

/** Opens the deals and moves the head; `onStage` says how far it got. */
export async function commit(
  context: Context,
  pending: PendingPut,
  onStage: (stage: PutStage) => void,
  signal?: AbortSignal,
): Promise<void> {
  await context.journal.save(await sealPending(context, pending));
  try {
    await openDeals(context, pending.deals, signal);
  } catch (error) {
    if (isRefusal(error)) await context.journal.done(pendingId(pending));
    throw error;
  }
  onStage("dealt");
  await indexPending(context, pending, signal);
  onStage("indexed");
}

/** The contract said no: nothing was opened and nothing will be. */
function isRefusal(error: unknown): boolean {
  return error instanceof PpioError && !["CHAIN_UNREACHABLE", "TIMEOUT", "CANCELLED", "INTERNAL"].includes(error.code);
}

/** Lists the entry of opened deals; merges it into what other writers have listed meanwhile. */
export async function indexPending(context: Context, pending: PendingPut, signal?: AbortSignal): Promise<void> {
  const { bucket } = pending;
  await addBucketName(context, bucket);
  let superseded = [...pending.superseded];
  let { raw, head } = pending;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await moveHead(context, bucket, raw, head);
      break;
    } catch (error) {
      if (!isPpioError(error, "CONFLICT") || attempt >= context.limits.headTriesMax) throw error;
    }
    const merged = await mergeIndex(context, pending, signal);
    if (merged === undefined) break;
    ({ raw, head } = merged);
    superseded = [...superseded, ...merged.superseded];
  }
  await context.journal.done(pendingId(pending));
  await terminateDeals(context, superseded, signal);
}

/** A listing on top of the newest one, in a deal of its own; nothing when the entry is listed already. */
async function mergeIndex(context: Context, pending: PendingPut, signal: AbortSignal | undefined) {
  const { bucket, key, entry, code } = pending;
  const loaded = await loadBucket(context, bucket, signal);
  const listed = loaded.index.entries.find((candidate) => candidate.key === key);
  if (entry?.modifiedAt === listed?.modifiedAt) return undefined;
  const providers = await listProviders(context, signal);
  const index = withEntry(loaded.index, key, entry);
  const next = await storeIndex(context, { ...code, index, loaded, providers, ...(signal === undefined ? {} : { signal }) });
  await openDeals(context, [next.stored.deal], signal);
  const stale = pending.deals.at(-1)?.dealId;
  return {
    raw: loaded.raw,
    head: next.head,
    superseded: [loaded.dealId, stale].filter((dealId) => dealId !== undefined),
  };
}
