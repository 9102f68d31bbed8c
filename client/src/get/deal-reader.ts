/** A row reader over a deal of the chain: tickets, providers and verification wired together. */
import type { Chain } from "../chain/chain.ts";
import { type DealView, loadSlotProvider } from "../chain/deal-view.ts";
import type { Context } from "../context.ts";
import { createRowReader, type RowReader } from "./row-reader.ts";
import { issueTicket, readCells } from "./slot-reader.ts";

/** Reads `deal`, never from the slots in `without`. Slots whose provider is gone come last: it may still answer. */
export async function openDealReader(context: Context, deal: DealView, without: ReadonlySet<number> = new Set()): Promise<RowReader> {
  const { chain, clock, random, limits, log } = context;
  const authorization = await issueTicket({
    domain: chain.domain,
    signer: chain.signer(),
    dealId: deal.dealId,
    header: deal.header,
    seconds: limits.authoritySeconds,
    clock,
    random,
  });
  const usable = deal.slots.filter((slot) => !without.has(slot.slotIndex) && slot.provider.endpoint !== "");
  const isSound = (slotIndex: number): number => {
    const slot = deal.slots[slotIndex];
    return slot !== undefined && slot.status === "Filled" && !slot.provider.evicted ? 0 : 1;
  };
  return createRowReader({
    dealId: deal.dealId,
    header: deal.header,
    slots: usable.map((slot) => slot.slotIndex).sort((a, b) => isSound(a) - isSound(b) || a - b),
    providerOf: (slotIndex) => deal.slots[slotIndex]?.provider.providerId ?? 0,
    readCells: (slotIndex, firstRow, rowCount, signal) => {
      const slot = deal.slots[slotIndex];
      if (slot === undefined) return Promise.reject(new RangeError(`no slot ${slotIndex}`));
      const { dealId, header } = deal;
      const currentOperator = operatorOf(chain, slot.provider.providerId);
      const api = context.api(slot.provider.endpoint);
      return readCells({ api, domain: chain.domain, dealId, header, slot, authorization, currentOperator }, firstRow, rowCount, signal);
    },
    limits,
    clock,
    log,
  });
}

function operatorOf(chain: Chain, providerId: number): () => Promise<string> {
  return async () => (await loadSlotProvider(chain, providerId)).operator;
}
