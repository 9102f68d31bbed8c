/**
 * Keeps the line alive: a line that is mostly holes needs too many draws to be proven. Runs after the period before has been proven,
 * because a compaction forfeits that proof, and moves positions only before the running period's seed is known.
 */
import type { ProviderContext } from "../context.ts";
import type { Interval, Inventory } from "./inventory.ts";

/** Below this share of live intervals the holes are closed. */
const LIVE_SHARE_MIN_PERCENT = 60n;
/** Intervals of one transaction: bounds its gas. */
const SLOTS_PER_CALL = 64;

/** Closes holes when there are too many, or in any case when `isForced`. True when something was sent. */
export async function compactLine(context: ProviderContext, inventory: Inventory, period: number, isForced: boolean): Promise<boolean> {
  const { chain, providerId, sender, log } = context;
  const { gapEndGwei } = await chain.proofs.compactionOf(providerId);
  const isUnderWay = gapEndGwei > 0n;
  if (!(isUnderWay || isForced || (await isSparse(context)))) return false;
  const rest = [...inventory.all()].filter(({ startGwei }) => startGwei >= gapEndGwei);
  const start = isUnderWay ? 0 : await firstHole(inventory, rest, period);
  if (start < 0) return false;
  const slots = rest.slice(start, start + SLOTS_PER_CALL).map(({ dealId, slotIndex }) => ({ dealId, slotIndex }));
  const data = chain.proofs.interface.encodeFunctionData("compact", [providerId, period, slots]);
  await sender.send(`compact/${period}/${gapEndGwei}`, { to: chain.book.proofs, data });
  log.info("line compacted", { period, slots: slots.length });
  return true;
}

/** Place of the first hole; -1 when there is none. */
async function firstHole(inventory: Inventory, intervals: readonly Interval[], period: number): Promise<number> {
  for (const [at, interval] of intervals.entries()) if ((await inventory.liveUntil(interval)) <= period) return at;
  return -1;
}

/** By the chain's own count, in which a slot is live until it is settled. */
async function isSparse({ chain, providerId }: ProviderContext): Promise<boolean> {
  const { lengthGwei, liveGwei } = await chain.proofs.inventory(providerId);
  return liveGwei * 100n < lengthGwei * LIVE_SHARE_MIN_PERCENT;
}
