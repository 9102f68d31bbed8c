/**
 * Rebuilds the lost slots of a deal on other providers: reads any k of the rest, codes the missing ones, checks them against the roots
 * on the chain, and refills. The rebuilt bytes are the sealed ones, so no content key is needed.
 */
import { createErasureCoder, PpioError, type SlotOffer, slotBytes } from "@ppio/core";
import { type DealView, loadDeal } from "../chain/deal-view.ts";
import type { Context } from "../context.ts";
import { findDealSalt } from "../deals/opening.ts";
import { openReaderOf } from "../get/deal-reader.ts";
import { createRoom } from "../get/room.ts";
import { poolProviders } from "../providers/list.ts";
import { selectCandidates } from "../providers/select.ts";
import { hashedFill } from "../put/batch.ts";
import { offersUsableUntil } from "../put/store-deal.ts";
import { storeSlots } from "../put/store-slots.ts";

export interface RepairOptions {
  readonly dealId: string;
  /** Slot bytes that new providers have acknowledged, and how many there are. */
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface RepairedSlot {
  readonly slotIndex: number;
  readonly fromProviderId: number;
  readonly toProviderId: number;
  readonly transactionHash: string | undefined;
}

export interface RepairResult {
  readonly dealId: string;
  readonly repaired: readonly RepairedSlot[];
  readonly rebuiltBytes: number;
}

const SPARES = 4;
/** Slot state of IStorageMarket. */
const FILLED = 1n;

/** Nothing happens when no slot is lost. @throws UNRECOVERABLE, NOT_ENOUGH_PROVIDERS */
export async function repairDeal(context: Context, options: RepairOptions): Promise<RepairResult> {
  const { signal } = options;
  const deal = await loadDeal(context.chain, options.dealId, signal);
  if (deal.status !== "Active") {
    throw new PpioError("REFUSED", `Deal ${deal.dealId} is ${deal.status}; only active deals are repaired. Store the object again.`, {
      retry: "never",
    });
  }
  const lost = deal.slots.filter((slot) => slot.status === "Vacant").map((slot) => slot.slotIndex);
  if (lost.length === 0) return { dealId: deal.dealId, repaired: [], rebuiltBytes: 0 };
  const offers = await rebuild(context, deal, lost, options);
  const repaired: RepairedSlot[] = [];
  for (const [at, slotIndex] of lost.entries()) {
    const offer = offers.offers[at];
    const before = deal.slots[slotIndex];
    if (offer === undefined || before === undefined) continue;
    let transactionHash: string | undefined;
    try {
      transactionHash = await refill(context, deal, slotIndex, offer, offers, signal);
    } catch (error) {
      if (!(await isTaken(context, deal.dealId, slotIndex, signal))) throw error;
      context.log.info("a provider repaired the slot meanwhile", { dealId: deal.dealId, slotIndex });
      continue;
    }
    repaired.push({ slotIndex, fromProviderId: before.provider.providerId, toProviderId: offer.providerId, transactionHash });
  }
  return { dealId: deal.dealId, repaired, rebuiltBytes: lost.length * slotBytes(deal.header) };
}

interface RefillOffers {
  readonly offers: readonly SlotOffer[];
  readonly dealSalt: string;
  readonly startBy: number;
  readonly periods: number;
}

/** Stores the lost slots on new providers and collects their offers. */
async function rebuild(context: Context, deal: DealView, lost: readonly number[], options: RepairOptions): Promise<RefillOffers> {
  const { chain, limits } = context;
  const { signal, onProgress } = options;
  const dealSalt = await findDealSalt(chain, deal.dealId, signal);
  const kept = deal.slots.filter((slot) => !lost.includes(slot.slotIndex));
  const lostViews = deal.slots.filter((slot) => lost.includes(slot.slotIndex));
  const pays = lostViews.map((slot) => slot.payPerPeriodWei);
  const candidates = selectCandidates({
    pool: await poolProviders(context, signal),
    code: deal,
    slotBytes: slotBytes(deal.header),
    needed: lost.length,
    spares: SPARES,
    exclude: new Set(kept.map((slot) => slot.provider.providerId)),
    neighbours: kept.map((slot) => slot.provider),
    // One provider may get any of the slots, so it must accept the lowest pay.
    payPerPeriodWei: pays.reduce((low, pay) => (pay < low ? pay : low)),
  });
  const room = createRoom();
  const coder = createErasureCoder(deal.header);
  const reader = await openReaderOf(context, deal, { without: new Set(lost), room });
  const totalBytes = lost.length * slotBytes(deal.header);
  let sentBytes = 0;
  const fill = hashedFill(deal.header, async (batch, slots) => {
    const have = await reader.readRows(batch.firstRow, batch.rowCount, lost, signal);
    coder.reconstruct(have, new Map(lost.map((slotIndex, at) => [slotIndex, slots[at] ?? new Uint8Array()])));
    for (const bytes of have.values()) room.give(bytes);
  });
  const storing = storeSlots(context, {
    terms: { owner: deal.owner, payer: deal.payer, dealSalt, header: deal.header, renewUntil: deal.renewUntil },
    dates: async () => {
      // The offers end with the deal.
      const startBy = Math.min(await offersUsableUntil(context, signal), deal.end - 1);
      return { startBy, periods: deal.end - startBy };
    },
    slotIndices: lost,
    candidates,
    fill,
    bufferBytes: limits.putBufferBytes,
    expectedRoots: lostViews.map((slot) => slot.root),
    fixedPayWei: pays,
    onSent: (bytes) => {
      sentBytes = Math.min(totalBytes, sentBytes + bytes);
      onProgress?.(sentBytes, totalBytes);
    },
    ...(signal === undefined ? {} : { signal }),
  });
  const stored = await storing.finally(() => reader.close());
  const { startBy, periods } = stored.terms;
  return { offers: stored.offers, dealSalt, startBy, periods };
}

/** Providers repair too, and may have been faster. */
async function isTaken({ chain }: Context, dealId: string, slotIndex: number, signal: AbortSignal | undefined): Promise<boolean> {
  const { status } = await chain.read("slot", () => chain.market.slot(dealId, slotIndex), signal);
  return status === FILLED;
}

async function refill(
  context: Context,
  deal: DealView,
  slotIndex: number,
  offer: SlotOffer,
  terms: RefillOffers,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { chain } = context;
  const { dealSalt, startBy, periods } = terms;
  const holder = async (): Promise<number> =>
    Number((await chain.read("slot", () => chain.market.slot(deal.dealId, slotIndex), signal)).providerId);
  const receipt = await chain.send({
    what: `refilling slot ${slotIndex}`,
    submit: () => chain.market.refill(deal.dealId, slotIndex, offer, { dealSalt, startBy, periods }),
    isDone: async () => (await holder()) === offer.providerId,
    ...(signal === undefined ? {} : { signal }),
  });
  return receipt?.hash;
}
