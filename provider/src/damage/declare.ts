/**
 * Gives damaged slots up before they are drawn (docs/protocol/penalties.md, "Losses of single slots"): a tenth of a slot's collateral
 * when its provider says so itself, half of it when the slot was drawn before.
 */
import { isPpioError } from "@ppio/core";
import type { ProviderContext } from "../context.ts";
import { isHeld } from "../slot-status.ts";

/**
 * A slot that is given up in p stays live in p - 1: if that one's proof draws it, nobody can name it any more and the period is missed. So
 * the proof goes first, but for the last part of p: the seed of p must not find the slot.
 */
const WAIT_FOR_PROOF_SHARE = 0.8;

/** @param provenAfter the newest period that is proven, or owes no proof */
export async function declareDamaged(context: ProviderContext, provenAfter: number): Promise<void> {
  const { chain, damage, alerts } = context;
  if (damage.due.length === 0) return;
  const block = await chain.rpc.getBlock("latest");
  if (block === null) return;
  const period = Number(await chain.proofs.periodOf(block.timestamp));
  const [open, close] = await chain.proofs.periodBounds(period);
  const isLate = block.timestamp - Number(open) >= WAIT_FOR_PROOF_SHARE * Number(close - open);
  if (provenAfter < period - 1 && !isLate) return;
  const confirmed: string[] = [];
  for (const uploadId of damage.due) {
    if ((await damage.confirm(uploadId)) === "damaged") confirmed.push(uploadId);
  }
  if (damage.isHeldBack) {
    const message =
      `${damage.damaged.length} slots are damaged at once, which looks like a fault of the machine; check memory, cables and disk, ` +
      'then restore the slots, or give them up with "ppio provider damage --give-up".';
    alerts.raise({ kind: "damage-held-back", message, details: { uploadIds: damage.damaged } });
    for (const uploadId of confirmed) damage.rest(uploadId);
    return;
  }
  alerts.clear("damage-held-back");
  for (const uploadId of confirmed) {
    await declare(context, uploadId);
    damage.rest(uploadId);
  }
}

async function declare(context: ProviderContext, uploadId: string): Promise<void> {
  const { chain, providerId, store, sender, alerts, log } = context;
  const meta = store.find(uploadId)?.meta;
  if (meta === undefined) return;
  const { dealId, slotIndex } = meta;
  const slot = await chain.market.slot(dealId, slotIndex);
  // Not dealt yet, over, or given up already: nobody pays for it, and housekeeping drops it.
  if (Number(slot.providerId) !== providerId || !isHeld(slot.status)) return;
  try {
    const data = chain.market.interface.encodeFunctionData("declareLost", [dealId, slotIndex]);
    await sender.send(`declare/${dealId}/${slotIndex}/${slot.fromPeriod}`, { to: chain.book.market, data });
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.warn("a damaged slot could not be given up", { dealId, slotIndex, error });
    return;
  }
  context.metrics.add("ppio_declared_slots_total", 1);
  const message = `Slot ${slotIndex} of deal ${dealId} was damaged on this disk and is given up; look at the disk's health.`;
  alerts.tellOnce({ kind: "damage-declared", subject: uploadId, message, details: { dealId, slotIndex } });
}
