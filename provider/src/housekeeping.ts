/** Settles what was earned, and drops what nobody pays for any more: ended slots and uploads that found no deal. */
import type { ProviderContext } from "./context.ts";
import type { Inventory } from "./prover/inventory.ts";
import { type SlotMeta, uploadIdOf } from "./store/slot-record.ts";

/** Statuses of IStorageMarket: of a deal, of a slot. */
const NONE = 0n;
const FILLED = 1n;
/** Settling costs gas; it is done once this many periods have come together, or at the end. */
const SETTLE_EVERY_PERIODS = 20;

export async function settleSlots(context: ProviderContext, inventory: Inventory): Promise<void> {
  const { chain, providerId, sender } = context;
  const current = Number(await chain.proofs.currentPeriod());
  const finalBefore = Number(await chain.proofs.finalBefore(providerId));
  for (const { dealId, slotIndex } of inventory.all()) {
    const slot = await chain.market.slot(dealId, slotIndex);
    if (slot.status !== FILLED || Number(slot.providerId) !== providerId) continue;
    const payable = Math.min(finalBefore, Number(slot.liveUntil)) - Number(slot.settledTo);
    const hasEnded = current > Number(slot.liveUntil);
    if (payable < (hasEnded ? 1 : SETTLE_EVERY_PERIODS)) continue;
    const data = chain.market.interface.encodeFunctionData("settle", [dealId, [slotIndex]]);
    await sender.send(`settle/${dealId}/${slotIndex}/${slot.settledTo}`, { to: chain.book.market, data });
  }
}

export async function dropUnpaid(context: ProviderContext): Promise<void> {
  for (const meta of context.store.list()) {
    if (await isUnpaid(context, meta)) {
      context.log.info("dropping a slot that nobody pays for", { uploadId: uploadIdOf(meta.dealId, meta.slotIndex), dealId: meta.dealId });
      await context.store.drop(meta.uploadId);
    }
  }
}

async function isUnpaid(context: ProviderContext, meta: SlotMeta): Promise<boolean> {
  const { chain, config, now, providerId } = context;
  const deal = await chain.market.deal(meta.dealId);
  // An offer that is out binds: it may have been used in a block that we have not seen.
  const graceMs = config.undealtSeconds * 1000;
  const isAwaited = now() < Math.max(meta.createdAt, meta.offeredUntil * 1000) + graceMs;
  if (deal.status === NONE) return !isAwaited;
  const slot = await chain.market.slot(meta.dealId, meta.slotIndex);
  // Another one's slot: ours was refilled, or we are about to refill it.
  if (Number(slot.providerId) !== providerId) return !isAwaited;
  // Readers may come until the end of the last period, proofs until one later.
  return Number(await chain.proofs.currentPeriod()) > Number(slot.liveUntil) + 1;
}
