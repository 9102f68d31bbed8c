/** Settles what nobody else has an interest in settling: slots of evicted providers, so that they can be refilled, and ended deals. */
import { isPpioError } from "@ppio/core";
import type { HeldSlot } from "../chain/slot-table.ts";
import type { OracleContext } from "../context.ts";

const SLOTS_PER_CALL_MAX = 32;

/** Settles slots of at most one deal; true when it did. `done` remembers what was settled already. */
export async function settleNextDeal(context: OracleContext, done: Set<string>): Promise<boolean> {
  const { chain, slots } = context;
  const current = Number(await chain.proofs.currentPeriod());
  for (const [providerId, held] of slots.byProvider()) {
    const evicted = (await chain.registry.evictedAtPeriod(providerId)) !== 0n;
    const finalBefore = Number(await chain.proofs.finalBefore(providerId));
    for (const slot of held) {
      if (done.has(keyOf(slot))) continue;
      if (!evicted && !(await hasEnded(context, slot, current, finalBefore))) continue;
      await settle(context, slots.byProvider(), slot, done);
      return true;
    }
  }
  return false;
}

function keyOf({ dealId, slotIndex, providerId }: HeldSlot): string {
  return `${dealId}/${slotIndex}/${providerId}`;
}

async function hasEnded({ chain }: OracleContext, slot: HeldSlot, current: number, finalBefore: number): Promise<boolean> {
  const { liveUntil } = await chain.market.slotForProof(slot.dealId, slot.slotIndex);
  const end = Number(liveUntil);
  return current > end && finalBefore >= end;
}

async function settle(
  { chain, sender, metrics, log }: OracleContext,
  held: ReadonlyMap<number, readonly HeldSlot[]>,
  { dealId, providerId }: HeldSlot,
  done: Set<string>,
): Promise<void> {
  const mine = (held.get(providerId) ?? []).filter((slot) => slot.dealId === dealId).slice(0, SLOTS_PER_CALL_MAX);
  const indices = mine.map(({ slotIndex }) => slotIndex);
  const data = chain.market.interface.encodeFunctionData("settle", [dealId, indices]);
  try {
    await sender.send(`settle/${dealId}/${providerId}/${indices.join(",")}`, { to: chain.book.market, data });
    metrics.add("ppio_slots_settled_total", mine.length);
    log.info("slots settled", { dealId, providerId, slots: indices });
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.debug("a settlement was not accepted", { dealId, providerId, error });
  }
  for (const slot of mine) done.add(keyOf(slot));
}
