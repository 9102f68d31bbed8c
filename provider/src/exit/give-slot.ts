/** Brings a slot's bytes to another provider and gets its offer, checked as the chain checks it. */
import {
  cellLength,
  type DealHeader,
  dealHeaderHash,
  type FinishHandOverBody,
  type HandOver,
  type HandOverBody,
  handOverMessage,
  leafCountOf,
  type Offer,
  type OfferBody,
  offerMessage,
  PpioError,
  type SlotOffer,
  slotBytes,
  type UploadState,
} from "@ppio/core";
import { Signature } from "ethers";
import type { ProviderContext } from "../context.ts";
import type { SlotMeta } from "../store/slot-record.ts";
import type { Taker } from "./takers.ts";

/** Sent in one request; whole cells are read and checked at a time. */
const REQUEST_BYTES = 4 << 20;
const REQUEST_MS = 60_000;
/** A hand-over that is signed holds for so long; a larger slot's is signed anew. */
const SIGNED_SECONDS = 3_600;
const ANSWER_BYTES_MAX = 64 << 10;

export interface GivenTerms {
  readonly owner: string;
  readonly payer: string;
  readonly end: number;
  readonly renewUntil: number;
  readonly root: string;
  readonly payPerPeriodWei: bigint;
  readonly collateralWei: bigint;
  /** Last period before which the new tenure begins. */
  readonly startBy: number;
}

export class SlotGiver {
  readonly #context: ProviderContext;
  readonly #signal: AbortSignal;

  constructor(context: ProviderContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
  }

  /** @throws NETWORK, REFUSED, CORRUPT when our own bytes are damaged, IO */
  async give(meta: SlotMeta, header: DealHeader, taker: Taker, terms: () => Promise<GivenTerms>): Promise<SlotOffer> {
    const { uploadId } = meta;
    const state = await this.#post<UploadState>(taker, "/v1/handovers", await this.#signed(meta, taker));
    if (state.uploadId !== uploadId || state.slotBytes !== slotBytes(header) || !Number.isSafeInteger(state.receivedBytes)) {
      throw refused(taker, "it opened another upload");
    }
    await this.#send(meta, header, taker, state.receivedBytes);
    const agreed = await terms();
    const body: FinishHandOverBody = { ...(await this.#signed(meta, taker)), startBy: agreed.startBy };
    const offer = await this.#post<OfferBody>(taker, `/v1/handovers/${uploadId}/finish`, body);
    return this.#check(meta, header, taker, agreed, offer);
  }

  async #signed(meta: SlotMeta, taker: Taker): Promise<HandOverBody> {
    const { domain, operator, providerId, now } = this.#context;
    const request: HandOver = {
      dealId: meta.dealId,
      slotIndex: meta.slotIndex,
      fromProviderId: providerId,
      toProviderId: taker.providerId,
      expiry: Math.floor(now() / 1000) + SIGNED_SECONDS,
    };
    return { request, signature: await handOverMessage.sign(domain, request, operator), dealSalt: meta.dealSalt };
  }

  async #send(meta: SlotMeta, header: DealHeader, taker: Taker, from: number): Promise<void> {
    const { store } = this.#context;
    const total = slotBytes(header);
    const rowsAtOnce = Math.max(1, Math.floor(REQUEST_BYTES / header.cellBytes));
    const buffer = new Uint8Array(rowsAtOnce * header.cellBytes);
    const reader = await store.openCells(meta.uploadId);
    try {
      for (let offset = from; offset < total; ) {
        const firstRow = Math.floor(offset / header.cellBytes);
        const cells = Array.from({ length: Math.min(rowsAtOnce, header.rows - firstRow) }, (_, at) =>
          buffer.subarray(at * header.cellBytes, at * header.cellBytes + cellLength(header, firstRow + at)),
        );
        const whole = await reader.read(firstRow, cells);
        const end = (whole - 1) * header.cellBytes + cellLength(header, firstRow + whole - 1);
        const bytes = buffer.slice(offset - firstRow * header.cellBytes, end);
        const path = `/v1/uploads/${meta.uploadId}?offset=${offset}`;
        const { receivedBytes } = await this.#request<UploadState>(taker, path, { method: "PUT", body: bytes });
        if (!(receivedBytes > offset)) throw refused(taker, "it takes no bytes");
        offset = receivedBytes;
      }
    } finally {
      await reader.close();
    }
  }

  #check(meta: SlotMeta, header: DealHeader, taker: Taker, terms: GivenTerms, body: OfferBody): SlotOffer {
    const { dealSalt, slotIndex } = meta;
    const { owner, payer, startBy, renewUntil, root, payPerPeriodWei } = terms;
    const collateralWei = BigInt(body.collateralWei);
    const { providerId, operatorEpoch } = taker;
    const leafCount = leafCountOf(header);
    const offer: Offer = {
      ...{ providerId, operatorEpoch, owner, payer, dealSalt, slotIndex, k: header.k, n: header.n, headerHash: dealHeaderHash(header) },
      ...{ root, leafCount, payPerPeriodWei, collateralWei, startBy, periods: terms.end - startBy, renewUntil, expiry: body.expiry },
    };
    if (collateralWei < terms.collateralWei) throw refused(taker, "it puts less at risk than the slot has now");
    if (offerMessage.recover(this.#context.domain, offer, body.signature) !== taker.operator) {
      throw refused(taker, "its offer is of other terms, or not signed by its operator");
    }
    const { r, yParityAndS: vs } = Signature.from(body.signature);
    return { providerId, operatorEpoch, root, leafCount, payPerPeriodWei, collateralWei, expiry: body.expiry, r, vs };
  }

  #post<T>(taker: Taker, path: string, body: unknown): Promise<T> {
    return this.#request<T>(taker, path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  }

  async #request<T>(taker: Taker, path: string, init: RequestInit): Promise<T> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(REQUEST_MS)]);
    let text: string;
    let isOk: boolean;
    try {
      const response = await fetch(`${taker.endpoint}${path}`, { ...init, signal, redirect: "error" });
      isOk = response.ok;
      text = await response.text();
    } catch (cause) {
      throw new PpioError("NETWORK", `Provider ${taker.providerId} does not answer; another one is tried.`, { cause });
    }
    if (text.length > ANSWER_BYTES_MAX) throw refused(taker, "its answer is too long");
    const answer = parse(text);
    if (isOk && answer !== undefined) return answer as T;
    const said = (answer as { readonly error?: { readonly message?: unknown } } | undefined)?.error?.message;
    throw refused(taker, typeof said === "string" ? said : "it answers with an error");
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refused({ providerId }: Taker, why: string): PpioError {
  return new PpioError("REFUSED", `Provider ${providerId} did not take the slot: ${why.replace(/\.$/, "")}.`);
}
