/** What a crash must not lose, as bytes: the deals about to be opened and the listing entry they are for. Sealed for the journal. */
import {
  type BucketIndex,
  decodeDealHeader,
  decodeIndex,
  encodeDealHeader,
  encodeIndex,
  type IndexEntry,
  PpioError,
  type SlotOffer,
} from "@ppio/core";
import { getBytes, hexlify, toUtf8Bytes } from "ethers";
import type { Context } from "../context.ts";
import { listingKey } from "../keys/index.ts";
import { openRecord, type RecordKeys, sealRecord } from "../seal/index.ts";
import type { JournalRecord } from "./journal.ts";
import type { CodeOptions, PreparedDeal } from "./store-deal.ts";

const VERSION = 1;

export interface PendingPut {
  readonly bucket: string;
  readonly key: string;
  /** Nothing for a deletion. */
  readonly entry: IndexEntry | undefined;
  readonly code: CodeOptions;
  /** Opened in one transaction. */
  readonly deals: readonly PreparedDeal[];
  /** Head record that the next one replaces. */
  readonly raw: Uint8Array | undefined;
  readonly head: Uint8Array;
  /** Deals that nothing needs once the head has moved. */
  readonly superseded: readonly string[];
}

/** The journal's name for a put: the id of its first deal. */
export function pendingId(pending: PendingPut): string {
  const [first] = pending.deals;
  if (first === undefined) throw new PpioError("INTERNAL", "A put has at least one deal.");
  return first.dealId;
}

const NAMELESS = "";

/** Keys of what a host keeps for puts that are under way. @param id 0x hex */
export function journalKeys({ masterSecret, applicationSecret }: Context, id: string): RecordKeys {
  return { key: listingKey(masterSecret, NAMELESS), applicationSecret, context: getBytes(id) };
}

export async function sealPending(context: Context, pending: PendingPut): Promise<JournalRecord> {
  const id = pendingId(pending);
  const index: BucketIndex = { bucket: pending.bucket, entries: pending.entry === undefined ? [] : [pending.entry] };
  const plain = {
    version: VERSION,
    key: pending.key,
    index: hexlify(encodeIndex(index)),
    code: pending.code,
    deals: pending.deals.map((deal) => ({
      dealId: deal.dealId,
      terms: { ...deal.terms, header: hexlify(encodeDealHeader(deal.terms.header)) },
      providers: deal.providers,
      offers: deal.offers.map((offer) => ({
        ...offer,
        payPerPeriodWei: offer.payPerPeriodWei.toString(),
        collateralWei: offer.collateralWei.toString(),
      })),
    })),
    raw: pending.raw === undefined ? null : hexlify(pending.raw),
    head: hexlify(pending.head),
    superseded: pending.superseded,
  };
  return { id, sealed: await sealRecord(journalKeys(context, id), toUtf8Bytes(JSON.stringify(plain)), context.random) };
}

interface PlainDeal {
  readonly dealId: string;
  /** Not in records of earlier versions. */
  readonly providers?: PreparedDeal["providers"];
  readonly terms: Omit<PreparedDeal["terms"], "header"> & { readonly header: string };
  readonly offers: readonly (Omit<SlotOffer, "payPerPeriodWei" | "collateralWei"> & {
    readonly payPerPeriodWei: string;
    readonly collateralWei: string;
  })[];
}

interface Plain extends Omit<PendingPut, "bucket" | "entry" | "deals" | "raw" | "head"> {
  readonly version: number;
  readonly index: string;
  readonly deals: readonly PlainDeal[];
  readonly raw: string | null;
  readonly head: string;
}

/** @throws WRONG_KEY, BAD_FORMAT */
export async function openPending(context: Context, record: JournalRecord): Promise<PendingPut> {
  const plain = JSON.parse(new TextDecoder().decode(await openRecord(journalKeys(context, record.id), record.sealed))) as Plain;
  if (plain.version !== VERSION)
    throw new PpioError("BAD_FORMAT", `The journal's version ${plain.version} is not known; use a newer program.`);
  const index = decodeIndex(getBytes(plain.index));
  return {
    bucket: index.bucket,
    key: plain.key,
    entry: index.entries[0],
    code: plain.code,
    deals: plain.deals.map((deal) => ({
      dealId: deal.dealId,
      terms: { ...deal.terms, header: decodeDealHeader(getBytes(deal.terms.header)) },
      providers: deal.providers ?? [],
      offers: deal.offers.map((offer) => ({
        ...offer,
        payPerPeriodWei: BigInt(offer.payPerPeriodWei),
        collateralWei: BigInt(offer.collateralWei),
      })),
    })),
    raw: plain.raw === null ? undefined : getBytes(plain.raw),
    head: getBytes(plain.head),
    superseded: plain.superseded,
  };
}
