/**
 * What is known of deals: the chain says it, and it is kept for the time when the chain does not answer, so that what providers hold stays
 * readable then (docs/protocol/storing.md, "Reading while the chain is away"). Nothing depends on what is kept but that: what cannot be kept, or
 * cannot be read again, is told to the log and lost.
 */
import type { Chain } from "../chain/chain.ts";
import { type DealSource, loadDeal } from "../chain/deal-view.ts";
import { isChainUnreachable } from "../chain/retry.ts";
import { type Clock, type Log, type Random, throwIfAborted, withDeadline } from "../deps.ts";
import type { DealStore } from "./deal-store.ts";
import { encodeDeal, type KeptBy, openDeal, sealDeal } from "./kept-deal.ts";

export interface FoundDeal {
  readonly deal: DealSource;
  /** Otherwise as it was when it was kept. */
  readonly isFromChain: boolean;
}

export interface DealBook {
  /** From the chain, or as it was kept when the chain does not answer soon. */
  find(dealId: string, signal?: AbortSignal): Promise<FoundDeal>;
  /** From the chain and nowhere else, however long that takes. @throws CHAIN_UNREACHABLE */
  ask(dealId: string, signal?: AbortSignal): Promise<FoundDeal>;
  keep(deal: DealSource): Promise<void>;
  forget(dealId: string): Promise<void>;
  /** Whether the chain did not answer when it was asked last, and something was read by what is kept. */
  isChainAway(): boolean;
}

export interface DealBookOptions {
  readonly chain: Chain;
  readonly store: DealStore;
  readonly keptBy: KeptBy;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A deal that is kept is not waited for any longer. */
  readonly chainMs: number;
  /** A chain that did not answer is not asked again for deals that are kept before. */
  readonly awayMs: number;
}

export function createDealBook(options: DealBookOptions): DealBook {
  const { chain, store, keptBy, clock, random, log, chainMs, awayMs } = options;
  let awayUntilMs = Number.NEGATIVE_INFINITY;

  const kept = async (dealId: string): Promise<DealSource | undefined> => {
    try {
      const sealed = await store.read(dealId);
      return sealed === undefined ? undefined : await openDeal(keptBy, dealId, sealed);
    } catch (error) {
      log.warn("what was kept of a deal cannot be used", { dealId, error: String(error) });
      return undefined;
    }
  };
  const keep = async (deal: DealSource): Promise<void> => {
    try {
      await store.save(deal.dealId, await sealDeal(keptBy, deal, random));
    } catch (error) {
      log.warn("what reading a deal takes could not be kept", { dealId: deal.dealId, error: String(error) });
    }
  };
  const renew = async (deal: DealSource, before: DealSource | undefined): Promise<FoundDeal> => {
    awayUntilMs = Number.NEGATIVE_INFINITY;
    if (before === undefined || encodeDeal(before) !== encodeDeal(deal)) await keep(deal);
    return { deal, isFromChain: true };
  };

  return {
    async find(dealId, signal) {
      const before = await kept(dealId);
      if (before === undefined) return renew(await loadDeal(chain, dealId, signal), before);
      if (clock.nowMs() < awayUntilMs) return { deal: before, isFromChain: false };
      try {
        return await renew(await withDeadline(clock, chainMs, signal, "a deal", (soon) => loadDeal(chain, dealId, soon)), before);
      } catch (error) {
        throwIfAborted(signal);
        if (!isChainUnreachable(error)) throw error;
        awayUntilMs = clock.nowMs() + awayMs;
        log.warn("the chain does not answer; reading by what was kept of the deal", { dealId });
        return { deal: before, isFromChain: false };
      }
    },
    ask: async (dealId, signal) => renew(await loadDeal(chain, dealId, signal), await kept(dealId)),
    keep,
    forget: async (dealId) => {
      await store.forget(dealId).catch((error) => log.warn("what was kept of a deal is still there", { dealId, error: String(error) }));
    },
    isChainAway: () => awayUntilMs !== Number.NEGATIVE_INFINITY,
  };
}
