/** One sealed object in one deal, up to the n signed offers: *stored*, not yet *dealt*. Data and listings go the same way. */
import { dealIdOf, type Manifest, type ManifestPart, type ObjectHeader, planObject, SUITE_GCM_CTR, slotBytes } from "@ppio/core";
import { getBytes, hexlify } from "ethers";
import type { Context } from "../context.ts";
import type { ProviderView } from "../providers/list.ts";
import { selectCandidates } from "../providers/select.ts";
import { createSealer } from "../seal/index.ts";
import { createFiller } from "./fill.ts";
import type { OfferTerms, SlotOffer } from "./offers.ts";
import type { ObjectSource } from "./source.ts";
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

export interface StoreObjectOptions extends CodeOptions {
  readonly source: ObjectSource;
  readonly objectId: Uint8Array;
  readonly objectVersion: number;
  readonly contentType: string;
  readonly contentKey: Uint8Array;
  readonly wrappedKey: Uint8Array;
  readonly providers: readonly ProviderView[];
  /** Collateral that offers of the same transaction lock, by provider. */
  readonly promisedWei?: ReadonlyMap<number, bigint>;
  readonly onSent?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A deal that needs nothing but its transaction. */
export interface PreparedDeal {
  readonly dealId: string;
  readonly terms: OfferTerms;
  readonly offers: readonly SlotOffer[];
}

export interface StoredObject {
  readonly deal: PreparedDeal;
  readonly manifest: Manifest;
  /** Bytes on all providers together. */
  readonly storedBytes: number;
  readonly bytesInFlightMax: number;
  readonly passes: number;
}

export async function storeObject(context: Context, options: StoreObjectOptions): Promise<StoredObject> {
  const { chain, random, clock, limits } = context;
  const { source, k, n, cellBytes, objectId, objectVersion, contentKey, signal } = options;
  const plan = planObject({ sizeBytes: source.sizeBytes, k, n, ...(cellBytes === undefined ? {} : { cellBytes }) });
  const { header } = plan;
  const candidates = selectCandidates({
    providers: options.providers,
    slotBytes: slotBytes(header),
    needed: n,
    spares: options.spareCandidates,
    ...(options.promisedWei === undefined ? {} : { promisedWei: options.promisedWei }),
  });
  const objectHeader: ObjectHeader = { suite: SUITE_GCM_CTR, frameBytes: plan.frameBytes };
  const salt = random(32);
  const fillKey = random(32);
  const dealSalt = random(32);
  const { applicationSecret } = context;
  const sealer = createSealer({ contentKey, applicationSecret, salt, fillKey, objectId, objectVersion, objectHeader }, header.cellBytes);
  const filler = createFiller(plan, source, sealer, context.sha256());
  const owner = await chain.address();
  const terms: OfferTerms = {
    owner,
    payer: owner,
    dealSalt: hexlify(dealSalt),
    header,
    startBy: await offersUsableUntil(context, signal),
    periods: options.periods,
    renewUntil: 0,
  };
  const stored = await storeSlots(context, {
    terms,
    slotIndices: Array.from({ length: n }, (_, at) => at),
    candidates,
    fill: (batch, slots) => filler.fill(batch, slots),
    bufferBytes: limits.putBufferBytes,
    ...(options.onSent === undefined ? {} : { onSent: options.onSent }),
    ...(signal === undefined ? {} : { signal }),
  });
  const dealId = dealIdOf(chain.domain, owner, terms.dealSalt);
  const { commitment } = sealer;
  const part: ManifestPart = { dealId: getBytes(dealId), dealSalt, header, sizeBytes: source.sizeBytes, salt, fillKey, commitment };
  return {
    deal: { dealId, terms, offers: stored.offers },
    manifest: {
      objectId,
      objectVersion,
      objectHeader,
      sizeBytes: source.sizeBytes,
      sha256: filler.digest(),
      createdAt: clock.nowMs(),
      contentType: options.contentType,
      wrappedKey: options.wrappedKey,
      parts: [part],
    },
    storedBytes: n * slotBytes(header),
    bytesInFlightMax: stored.bytesInFlightMax,
    passes: stored.passes,
  };
}

/** Last period in which offers must be usable: long enough for the slots that are sent again. */
export async function offersUsableUntil(context: Context, signal?: AbortSignal): Promise<number> {
  const { chain, limits } = context;
  const current = Number(await chain.read("current period", () => chain.proofs.currentPeriod(), signal));
  const periodSeconds = Number(await chain.read("period length", () => chain.proofs.periodSeconds(), signal));
  return current + Math.ceil(limits.offerSeconds / periodSeconds) + 1;
}

/** Σ pay x periods: what the market takes when the deal opens. */
export function escrowWeiOf(deal: PreparedDeal): bigint {
  return deal.offers.reduce((sum, offer) => sum + offer.payPerPeriodWei, 0n) * BigInt(deal.terms.periods);
}
