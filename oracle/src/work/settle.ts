/**
 * Settles what nobody else has an interest in settling: slots of evicted providers, so that they can be refilled, tenures that ended
 * before their deal, and ended deals.
 */
import type { BlockTag } from "ethers";
import { withPending } from "../chain/pending.ts";
import type { HeldSlot } from "../chain/slot-table.ts";
import type { OracleContext } from "../context.ts";
import { SLOTS_PER_CALL_MAX, sendSettlement } from "./settlement.ts";
import { spreadMsOf } from "./spread.ts";

/** Slot state of IStorageMarket. */
const CLOSED = 3n;

/** Tenures that were seen to go on in a period: deals are renewed and ended, but not asked about again in every turn. */
export interface RunningTenures {
  period: number;
  readonly keys: Set<string>;
}

/** Settles slots of at most one deal; true when it did. */
export async function settleNextDeal(context: OracleContext, running: RunningTenures): Promise<boolean> {
  const { chain, slots, turns } = context;
  const spreadMs = await spreadMsOf(context);
  const current = Number(await chain.proofs.currentPeriod());
  if (running.period !== current) {
    running.period = current;
    running.keys.clear();
  }
  for (const [providerId, held] of slots.byProvider()) {
    const evicted = (await chain.registry.evictedAtPeriod(providerId)) !== 0n;
    for (const slot of held) {
      const key = `${slot.dealId}/${slot.slotIndex}/${providerId}/${slot.isPast}`;
      if (!evicted && (running.keys.has(key) || !(await hasEnded(context, slot, current)))) {
        running.keys.add(key);
        continue;
      }
      if (await isSettled(context, slot, "latest")) {
        slots.forget(slot);
        continue;
      }
      if (!turns.isMine(`settle/${slot.dealId}/${providerId}`, spreadMs)) continue;
      // Another one's settlement is on its way.
      if (await withPending(({ blockTag }) => isSettled(context, slot, blockTag))) continue;
      await (slot.isPast ? settlePast(context, slot) : settle(context, held, slot));
      return true;
    }
  }
  return false;
}

async function hasEnded({ chain }: OracleContext, slot: HeldSlot, current: number): Promise<boolean> {
  const { untilPeriod } = await chain.market.slotForProof(slot.dealId, slot.slotIndex, slot.providerId);
  const end = Number(untilPeriod);
  return current > end && Number(await chain.proofs.finalBefore(slot.providerId)) >= end;
}

/** Whether the chain has nothing left to do for the tenure. */
async function isSettled(
  { chain }: OracleContext,
  { dealId, slotIndex, providerId, isPast }: HeldSlot,
  blockTag: BlockTag,
): Promise<boolean> {
  if (isPast) {
    const past = await chain.market.pastTenure(dealId, slotIndex, providerId, { blockTag });
    return past.payGwei === 0n || past.isSettled;
  }
  const slot = await chain.market.slot(dealId, slotIndex, { blockTag });
  return slot.status === CLOSED || Number(slot.providerId) !== providerId;
}

async function settlePast(context: OracleContext, { dealId, slotIndex, providerId }: HeldSlot): Promise<void> {
  const data = context.chain.market.interface.encodeFunctionData("settleTenure", [dealId, slotIndex, providerId]);
  await sendSettlement(context, `settle-past/${dealId}/${slotIndex}/${providerId}`, data, { dealId, providerId, slots: [slotIndex] });
}

async function settle(context: OracleContext, held: readonly HeldSlot[], { dealId, providerId }: HeldSlot): Promise<void> {
  const mine = held.filter((slot) => slot.dealId === dealId && !slot.isPast).slice(0, SLOTS_PER_CALL_MAX);
  const indices = mine.map(({ slotIndex }) => slotIndex);
  const data = context.chain.market.interface.encodeFunctionData("settle", [dealId, indices]);
  await sendSettlement(context, `settle/${dealId}/${providerId}/${indices.join(",")}`, data, { dealId, providerId, slots: indices });
  for (const slot of mine) context.slots.forget(slot);
}
