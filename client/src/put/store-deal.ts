/** Slots of one deal on n providers, up to the n signed offers: *stored*, not yet *dealt*. What the slots hold is the caller's. */
import { type DealHeader, dealIdOf, type OfferTerms, PpioError, type SlotOffer, slotBytes } from "@ppio/core";
import { getBytes, hexlify } from "ethers";
import { type DealSource, NOBODY, type SlotProvider } from "../chain/deal-view.ts";
import type { Context } from "../context.ts";
import type { Candidate } from "../providers/fit.ts";
import type { ProviderPool } from "../providers/list.ts";
import { selectPatiently } from "../providers/select.ts";
import type { Attempt } from "./attempt.ts";
import type { Fill } from "./batch.ts";
import { storeSlots } from "./store-slots.ts";

export interface CodeOptions {
  readonly k: number;
  readonly n: number;
  readonly cellBytes?: number;
  /** Periods that the deal pays. */
  readonly periods: number;
  /** Candidates beyond n. */
  readonly spareCandidates: number;
}

/** A deal that needs nothing but its transaction. */
export interface PreparedDeal {
  readonly dealId: string;
  readonly terms: OfferTerms;
  readonly offers: readonly SlotOffer[];
  /** Who made each offer. */
  readonly providers: readonly SlotProvider[];
}

/** What a deal takes from an attempt that may go on with another one. */
export type DealAttempt = Pick<Attempt, "dealSalt" | "begun" | "onHired" | "isKept">;

export interface StoreDealOptions extends CodeOptions {
  readonly header: DealHeader;
  /** Fills a batch's n slots. */
  readonly fill: Fill;
  readonly workers?: number;
  readonly providers: ProviderPool;
  /** One of its own without it. */
  readonly attempt?: DealAttempt;
  /** Collateral that offers of the same transaction lock, by provider. */
  readonly promisedWei?: ReadonlyMap<number, bigint>;
  /** Providers that have just let another deal wait. */
  readonly avoid?: ReadonlySet<number>;
  readonly onSent?: (bytes: number) => void;
  /** Every row was filled; told who may serve the deal. */
  readonly onRooted?: (candidates: readonly Candidate[]) => void;
  readonly signal?: AbortSignal;
}

export interface StoredDeal {
  readonly deal: PreparedDeal;
  /** Bytes on all providers together. */
  readonly storedBytes: number;
  readonly bytesInFlightMax: number;
  readonly passes: number;
  /** Bytes of those that providers had from an attempt before this one. */
  readonly resumedBytes: number;
  /** Providers that have failed or were late. */
  readonly failed: ReadonlySet<number>;
}

export async function storeDeal(context: Context, options: StoreDealOptions): Promise<StoredDeal> {
  const { chain, random, limits } = context;
  const { header, n, attempt, signal } = options;
  const candidates = await selectPatiently({
    pool: options.providers,
    code: { k: header.k, n },
    slotBytes: slotBytes(header),
    needed: n,
    periods: options.periods,
    spares: options.spareCandidates,
    ...(attempt === undefined ? {} : { begun: new Set(attempt.begun.values()) }),
    ...(options.promisedWei === undefined ? {} : { promisedWei: options.promisedWei }),
    ...(options.avoid === undefined ? {} : { avoid: options.avoid }),
  });
  const owner = await chain.address();
  const dealSalt = hexlify(attempt?.dealSalt ?? random(32));
  const stored = await storeSlots(context, {
    terms: { owner, payer: owner, dealSalt, header, renewUntil: 0 },
    dates: async () => ({ startBy: await offersUsableUntil(context, signal), periods: options.periods }),
    slotIndices: Array.from({ length: n }, (_, at) => at),
    candidates,
    ...(attempt === undefined ? {} : { begun: attempt.begun, isKept: attempt.isKept }),
    ...(attempt?.onHired === undefined ? {} : { onHired: attempt.onHired }),
    fill: options.fill,
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    bufferBytes: limits.putBufferBytes,
    ...(options.onSent === undefined ? {} : { onSent: options.onSent }),
    onRooted: () => options.onRooted?.(candidates),
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    deal: {
      dealId: dealIdOf(chain.domain, owner, dealSalt),
      terms: stored.terms,
      offers: stored.offers,
      providers: stored.offers.map(({ providerId }) => providerAmong(candidates, providerId)),
    },
    storedBytes: n * slotBytes(header),
    bytesInFlightMax: stored.bytesInFlightMax,
    passes: stored.passes,
    resumedBytes: stored.resumedBytes,
    failed: stored.failed,
  };
}

function providerAmong(candidates: readonly Candidate[], id: number): SlotProvider {
  const found = candidates.find(({ providerId }) => providerId === id);
  if (found === undefined) throw new PpioError("INTERNAL", `Provider ${id} was not asked for an offer.`);
  const { providerId, owner, operator, endpoint, failureDomain } = found;
  return { providerId, owner, operator, endpoint, failureDomain, evicted: false };
}

/** What reading the deal takes once it is open. */
export function sourceOf({ dealId, terms, offers, providers }: PreparedDeal): DealSource {
  const slots = offers.map(({ root }, slotIndex) => ({
    slotIndex,
    root: getBytes(root),
    status: "Filled" as const,
    provider: providers[slotIndex] ?? NOBODY,
  }));
  return { dealId, header: terms.header, slots };
}

/** Last period in which offers must be usable: long enough for the slots that are sent again. */
export async function offersUsableUntil(context: Context, signal?: AbortSignal): Promise<number> {
  const { chain, limits } = context;
  const [current, periodSeconds] = await Promise.all([
    chain.read("current period", () => chain.proofs.currentPeriod(), signal),
    chain.read("period length", () => chain.proofs.periodSeconds(), signal),
  ]);
  return Number(current) + Math.ceil(limits.offerSeconds / Number(periodSeconds)) + 1;
}

/** Σ pay x periods: what the market takes when the deal opens. */
export function escrowWeiOf(deal: PreparedDeal): bigint {
  return deal.offers.reduce((sum, offer) => sum + offer.payPerPeriodWei, 0n) * BigInt(deal.terms.periods);
}
