/** Finishing what a crash interrupted, from the journal's records. */
import { toPpioError } from "@ppio/core";
import type { Context } from "../context.ts";
import { throwIfAborted } from "../deps.ts";
import { indexPending } from "./commit.ts";
import { isOpened, openDeals } from "./open-deals.ts";
import { openPending, type PendingPut } from "./pending.ts";

export interface ResumedPut {
  /** The journal record's id. */
  readonly id: string;
  /** Not known of a record that is unreadable. */
  readonly bucket?: string;
  readonly key?: string;
  /** `unreadable`: the record is damaged or another wallet's. `expired`: the deal was never opened and its offers are worthless now, so nothing was paid; put the object again. */
  readonly outcome: "indexed" | "expired" | "failed" | "unreadable";
  readonly reason?: string;
}

export async function resumePuts(context: Context, signal?: AbortSignal): Promise<ResumedPut[]> {
  const results: ResumedPut[] = [];
  for (const record of await context.journal.list()) {
    throwIfAborted(signal);
    let pending: PendingPut;
    try {
      pending = await openPending(context, record);
    } catch (error) {
      // What cannot be read must not keep others from being stored; it stays for whoever can.
      results.push({ id: record.id, outcome: "unreadable", reason: toPpioError(error).message });
      continue;
    }
    const { bucket, key } = pending;
    try {
      const outcome = await resume(context, pending, signal);
      if (outcome === "expired") await context.journal.done(record.id);
      results.push({ id: record.id, bucket, key, outcome });
    } catch (error) {
      throwIfAborted(signal);
      results.push({ id: record.id, bucket, key, outcome: "failed", reason: toPpioError(error).message });
    }
  }
  return results;
}

async function resume(context: Context, pending: PendingPut, signal: AbortSignal | undefined): Promise<"indexed" | "expired"> {
  const { chain, clock } = context;
  const opened = await Promise.all(pending.deals.map((deal) => isOpened(chain, deal.dealId, signal)));
  if (!opened.every((yes) => yes)) {
    const current = Number(await chain.read("current period", () => chain.proofs.currentPeriod(), signal));
    const nowSeconds = Math.floor(clock.nowMs() / 1000);
    const usable = pending.deals.every(
      ({ terms, offers }) => terms.startBy >= current && offers.every((offer) => offer.expiry > nowSeconds),
    );
    if (!usable) return "expired";
    await openDeals(context, pending.deals, signal);
  }
  await context.bucketTurns.take(pending.bucket, () => indexPending(context, pending, signal), signal);
  return "indexed";
}
