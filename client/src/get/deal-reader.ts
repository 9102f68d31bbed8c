/** A row reader over a deal of the chain: tickets, providers and verification wired together. */

import { isPpioError } from "@ppio/core";
import type { Chain } from "../chain/chain.ts";
import { type DealView, loadDeal, loadSlotProvider } from "../chain/deal-view.ts";
import type { Context } from "../context.ts";
import { createRowReader, type RowReader } from "./row-reader.ts";
import { issueTicket, readCells } from "./slot-reader.ts";

/** What a reader needs to know of a deal. The roots never change; its providers do, seldom. */
export interface ReadableDeal {
  readonly deal: DealView;
  /** Value of the `authorization` header. The same ticket again is cheaper for a provider than a new one. */
  readonly authorization: string;
}

/** Of the answers of a slot, the first one's signature is checked, and one in so many of the others. */
const ANSWERS_PER_CHECK = 16;

/** Reads a deal by what is remembered of it, and by what the chain says now when too few of the providers remembered serve it. */
export async function openReader(context: Context, dealId: string, signal?: AbortSignal): Promise<RowReader & { readonly deal: DealView }> {
  let isFresh = false;
  const look = () =>
    context.deals.get(dealId, () => {
      isFresh = true;
      return loadReadable(context, dealId, signal);
    });
  const known = await look();
  let reader = readerOf(context, known);
  return {
    deal: known.deal,
    failures: () => reader.failures(),
    async readRows(...request) {
      try {
        return await reader.readRows(...request);
      } catch (error) {
        if (isFresh || !isPpioError(error, "UNRECOVERABLE")) throw error;
        context.deals.forget(dealId);
        reader = readerOf(context, await look());
        return reader.readRows(...request);
      }
    },
  };
}

/** Reads `deal` as it was loaded, never from the slots in `without`. */
export async function openReaderWithout(context: Context, deal: DealView, without: ReadonlySet<number>): Promise<RowReader> {
  return readerOf(context, { deal, authorization: await ticketFor(context, deal) }, without);
}

async function loadReadable(context: Context, dealId: string, signal: AbortSignal | undefined): Promise<ReadableDeal> {
  const deal = await loadDeal(context.chain, dealId, signal);
  return { deal, authorization: await ticketFor(context, deal) };
}

function ticketFor({ chain, clock, random, limits }: Context, { dealId, header }: DealView): Promise<string> {
  return issueTicket({ domain: chain.domain, signer: chain.signer(), dealId, header, seconds: limits.authoritySeconds, clock, random });
}

/** Slots whose provider is gone come last: it may still answer. */
function readerOf(context: Context, { deal, authorization }: ReadableDeal, without: ReadonlySet<number> = new Set()): RowReader {
  const { chain, clock, limits, log } = context;
  const usable = deal.slots.filter((slot) => !without.has(slot.slotIndex) && slot.provider.endpoint !== "");
  const isSound = (slotIndex: number): number => {
    const slot = deal.slots[slotIndex];
    return slot !== undefined && slot.status === "Filled" && !slot.provider.evicted ? 0 : 1;
  };
  const answered = new Set<number>();
  const isChecked = (slotIndex: number): boolean => {
    if (answered.has(slotIndex)) return (context.random(1)[0] ?? 0) < 256 / ANSWERS_PER_CHECK;
    answered.add(slotIndex);
    return true;
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
      const { endpoint, providerId } = slot.provider;
      const request = { dealId, header, slot, authorization, isSignatureChecked: isChecked(slotIndex) };
      const currentOperator = operatorOf(chain, providerId);
      return readCells({ ...request, api: context.api(endpoint), domain: chain.domain, currentOperator }, firstRow, rowCount, signal);
    },
    limits,
    clock,
    log,
  });
}

function operatorOf(chain: Chain, providerId: number): () => Promise<string> {
  return async () => (await loadSlotProvider(chain, providerId)).operator;
}
