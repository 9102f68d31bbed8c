/** Settles what was earned, and drops what nobody pays for any more: ended slots and uploads that found no deal. */
import { isPpioError } from "@ppio/core";
import type { ProviderContext } from "./context.ts";
import type { Inventory } from "./prover/inventory.ts";
import { readSlot, type SlotState } from "./read-slot.ts";
import { isHeld, SLOT_CLOSED } from "./slot-status.ts";
import type { SlotMeta } from "./store/slot-record.ts";

/** Settling costs gas; it is done once this many periods have come together, or at the end. */
const SETTLE_EVERY_PERIODS = 20;
/** Slots asked for at a time. */
const ASKED_AT_ONCE = 20;
/** Slots looked at in one round. */
const LOOKED_AT_MAX = 500;
/** Of slots that have a deal, so many are looked at in any round, */
const LOOKED_AT_MIN = 100;
/** and more only as far as it takes to have looked at all of them in so many periods: nothing is due of most. */
const PASS_PERIODS = 8;
/** A slot that is paid for is looked at again after so many periods, in case its deal was ended early. */
const LOOK_AGAIN_PERIODS = 12;
const NEVER = 0xffffffff;
/** An upload that keeps moving may take this many times as long as one that stands still. */
const UPLOAD_PATIENCE = 24;

/** How many of `count` slots with a deal a round looks at, when rounds are so far apart. */
export function looksOf(count: number, roundMs: number, periodMs: number): number {
  const wanted = Math.ceil((count * roundMs) / (PASS_PERIODS * periodMs));
  return Math.min(LOOKED_AT_MAX, Math.max(LOOKED_AT_MIN, wanted));
}

/** Pays out what is due, of at most `most` slots. What one slot's contract refuses does not keep the others from their pay. */
export async function settleSlots(context: ProviderContext, inventory: Inventory, most = LOOKED_AT_MAX): Promise<void> {
  const { chain, providerId } = context;
  const current = Number(await chain.proofs.currentPeriod());
  const finalBefore = Number(await chain.proofs.finalBefore(providerId));
  const due = inventory.due(current, most);
  const slots = await inChunks(due, ({ dealId, slotIndex }) => readSlot(chain, dealId, slotIndex));
  for (const [interval, slot] of slots) {
    const { dealId, slotIndex } = interval;
    if (!isHeld(slot.status) || slot.providerId !== providerId) {
      const isDone = await settlePast(context, dealId, slotIndex, finalBefore);
      inventory.postpone(interval, isDone ? NEVER : current + 1);
      continue;
    }
    const { liveUntil, settledTo } = slot;
    const payable = Math.min(finalBefore, liveUntil) - settledTo;
    const hasEnded = current > liveUntil;
    if (payable < (hasEnded ? 1 : SETTLE_EVERY_PERIODS)) {
      // Nothing can be due before; what changes the deal's end brings it back.
      const next = Math.min(settledTo + SETTLE_EVERY_PERIODS, liveUntil + 1);
      inventory.postpone(interval, Math.max(current + 1, next));
      continue;
    }
    const data = chain.market.interface.encodeFunctionData("settle", [dealId, [slotIndex]]);
    await sendSettlement(context, `settle/${dealId}/${slotIndex}/${slot.settledTo}`, data, { dealId, slotIndex });
    inventory.postpone(interval, current + 1);
  }
}

/** Settles a tenure of ours that ended before its deal, once all of it is final. True when there is nothing more to settle. */
async function settlePast(context: ProviderContext, dealId: string, slotIndex: number, finalBefore: number): Promise<boolean> {
  const { chain, providerId } = context;
  const past = await chain.market.pastTenure(dealId, slotIndex, providerId);
  if (past.payGwei === 0n || past.isSettled) return true;
  if (finalBefore < Number(past.untilPeriod)) return false;
  const data = chain.market.interface.encodeFunctionData("settleTenure", [dealId, slotIndex, providerId]);
  await sendSettlement(context, `settle-past/${dealId}/${slotIndex}/${past.settledTo}`, data, { dealId, slotIndex });
  return false;
}

async function sendSettlement({ chain, sender, log }: ProviderContext, id: string, data: string, slot: object): Promise<void> {
  try {
    await sender.send(id, { to: chain.book.market, data });
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.warn("a slot could not be settled", { ...slot, error });
  }
}

/** Drops what nobody pays for, and remembers what has a deal. Looks at `most` of the slots that are known to have one. */
export async function dropUnpaid(context: ProviderContext, most = LOOKED_AT_MAX): Promise<void> {
  const { chain, store, reserved, log, now } = context;
  const block = await chain.rpc.getBlock("latest");
  if (block === null) return;
  // A node that lags does not know the newest deals: its clock counts as well as ours.
  const nowMs = Math.min(now(), block.timestamp * 1000);
  const current = Number(await chain.proofs.periodOf(block.timestamp));
  const due = store.due(current, { dealt: most, undealt: LOOKED_AT_MAX });
  const slots = await inChunks(due.slots, (meta) => readSlot(chain, meta.dealId, meta.slotIndex));
  for (const [meta, slot] of slots) {
    const { uploadId, dealId } = meta;
    const until = await liveUntil(context, meta, slot);
    if (until === undefined) {
      store.markDealt(uploadId, false);
      // So many that wait for a deal must not keep the others from being looked at.
      if (due.undealt > LOOKED_AT_MAX) store.postpone(uploadId, current + 1);
    } else {
      store.markDealt(uploadId, true);
      reserved.forget(uploadId);
      store.postpone(uploadId, Math.min(until + 2, current + LOOK_AGAIN_PERIODS));
    }
    // Readers may come until the end of the last period, proofs until one later.
    const isOver = until === undefined ? nowMs > awaitedUntil(context, meta) : current > until + 1;
    if (!isOver || store.find(uploadId)?.isBusy !== false) continue;
    log.info("dropping a slot that nobody pays for", { uploadId, dealId });
    await store.drop(uploadId);
    reserved.forget(uploadId);
  }
}

/** First period in which the slot is not ours any more; undefined when we never had it, or it is on its way to us again. */
async function liveUntil({ chain, providerId }: ProviderContext, meta: SlotMeta, slot: SlotState): Promise<number | undefined> {
  if (slot.providerId === providerId && (isHeld(slot.status) || slot.status === SLOT_CLOSED)) return slot.liveUntil;
  // Lost or handed over: the tenure's last period is still to be proven.
  const past = await chain.market.pastTenure(meta.dealId, meta.slotIndex, providerId);
  return past.payGwei === 0n ? undefined : Number(past.untilPeriod);
}

/** Until when a slot without a deal of ours is kept, in Unix milliseconds: it is on its way, or an offer that is out binds. */
function awaitedUntil({ config, store, reserved }: ProviderContext, meta: SlotMeta): number {
  const graceMs = config.undealtSeconds * 1000;
  if (meta.offeredUntil > 0) return meta.offeredUntil * 1000 + graceMs;
  const reservedUntil = reserved.endsAt(meta.uploadId);
  if (reservedUntil !== undefined) return reservedUntil * 1000;
  const touchedAt = store.find(meta.uploadId)?.touchedAt ?? meta.createdAt;
  return Math.min(Math.max(meta.createdAt, touchedAt) + graceMs, meta.createdAt + UPLOAD_PATIENCE * graceMs);
}

async function inChunks<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<(readonly [T, R])[]> {
  const answers: (readonly [T, R])[] = [];
  for (let at = 0; at < items.length; at += ASKED_AT_ONCE) {
    const chunk = items.slice(at, at + ASKED_AT_ONCE);
    answers.push(...(await Promise.all(chunk.map(async (item) => [item, await ask(item)] as const))));
  }
  return answers;
}
