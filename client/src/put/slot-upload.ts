/**
 * One slot's way to one provider: opened with the owner's signature, fed in order, continued after a cut where the provider says,
 * finished with a signed offer. Fails for good only when the provider refuses or stays away.
 */
import {
  type DealHeader,
  dealIdOf,
  encodeDealHeader,
  type FinishUploadBody,
  isPpioError,
  isTransient,
  type OfferBody,
  type OpenUploadBody,
  PpioError,
  type ProviderApi,
  type SigningDomain,
  slotBytes,
  type UploadRequest,
  type UploadState,
  uploadRequestMessage,
} from "@ppio/core";
import { concat, hexlify, keccak256, type Signer, toBeHex } from "ethers";
import { type Clock, type Log, withDeadline } from "../deps.ts";
import { type ClientLimits, transferMs } from "../limits.ts";
import { createSlotSender, type SlotSender } from "./slot-sender.ts";

/** A provider that lets a deadline pass is asked once more only: the others wait for it. */
const STALLED_TRIES_MAX = 2;

export interface SlotUploadOptions {
  readonly api: ProviderApi;
  readonly domain: SigningDomain;
  readonly signer: Signer;
  readonly request: UploadRequest;
  readonly header: DealHeader;
  /** Of a batch. */
  readonly stepBytes: number;
  /** Nobody was sent anything of this slot yet: a provider that claims to have some lies. */
  readonly isFresh: boolean;
  readonly limits: ClientLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

export interface SlotUpload {
  readonly providerId: number;
  readonly slotIndex: number;
  /** Opens or finds the upload. */
  open(): Promise<void>;
  /** Bytes that the provider has, by its last answer. */
  readonly receivedBytes: number;
  /**
   * Sends the slot's bytes [offset, offset + bytes.length); what the provider has already is left out. The next call need not wait for
   * this one; the bytes must not change before this resolves or the upload's signal is aborted.
   */
  put(offset: number, bytes: Uint8Array): Promise<void>;
  /** Asks for the offer once all bytes are there. */
  finish(body: FinishUploadBody): Promise<OfferBody>;
  /** Lets the provider forget the upload; failures do not matter. */
  drop(): Promise<void>;
}

/** Lowercase hex of keccak256(dealId ‖ slotIndex), without 0x. */
export function uploadIdOf(dealId: string, slotIndex: number): string {
  return keccak256(concat([dealId, toBeHex(slotIndex, 1)])).slice(2);
}

export function createSlotUpload(options: SlotUploadOptions): SlotUpload {
  const { api, domain, request, header, stepBytes, isFresh, limits, clock, log, signal } = options;
  const uploadId = uploadIdOf(dealIdOf(domain, request.owner, request.dealSalt), request.slotIndex);
  const total = slotBytes(header);
  let signature: string | undefined;
  let received = 0;
  let stepBytesMax = 0;
  let sender: SlotSender | undefined;
  let alone: Promise<void> = Promise.resolve();
  /** It cannot have more. */
  let sent = isFresh ? 0 : total;

  const openBody = async (): Promise<OpenUploadBody> => {
    signature ??= await uploadRequestMessage.sign(domain, request, options.signer);
    return { request, signature, header: hexlify(encodeDealHeader(header)) };
  };

  /** Repeats `work` while the wire fails, with growing pauses. */
  const persist = async <T>(what: string, deadlineMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    for (let attempt = 1, pauseMs = limits.pauseMs; ; attempt += 1, pauseMs *= 2) {
      try {
        return await withDeadline(clock, deadlineMs, signal, `${what} at provider ${request.providerId}`, work);
      } catch (error) {
        const stalled = isPpioError(error, "TIMEOUT");
        if (attempt >= (stalled ? STALLED_TRIES_MAX : limits.triesMax) || !isTransient(error)) throw error;
        log.debug("a provider did not answer; trying again", { what, providerId: request.providerId, attempt });
        await clock.sleep(pauseMs, signal);
      }
    }
  };

  const take = (state: UploadState): void => {
    if (state.slotBytes !== total || !(state.receivedBytes >= 0)) {
      throw new PpioError("BAD_FORMAT", `Provider ${request.providerId} reports an upload of another size; another provider is used.`);
    }
    if (state.receivedBytes > sent) {
      throw new PpioError("CORRUPT", `Provider ${request.providerId} claims bytes that it was not sent; another provider is used.`);
    }
    received = state.receivedBytes;
    stepBytesMax = state.stepBytesMax ?? stepBytesMax;
  };

  /** Tries of one body: those after which something has arrived begin anew. */
  const persistBody = async (converse: () => Promise<void>): Promise<void> => {
    const what = "sending slot bytes";
    for (let attempt = 1, pauseMs = limits.pauseMs, isCut = false; ; attempt += 1, pauseMs *= 2) {
      const before = received;
      try {
        if (isCut) take(await withDeadline(clock, limits.requestMs, signal, what, (inner) => api.uploadState(uploadId, inner)));
        return await converse();
      } catch (error) {
        isCut = true;
        if (received > before) [attempt, pauseMs] = [1, limits.pauseMs];
        const stalled = isPpioError(error, "TIMEOUT");
        if (attempt >= (stalled ? STALLED_TRIES_MAX : limits.triesMax) || !isTransient(error)) throw error;
        log.debug("a provider did not answer; trying again", { what, providerId: request.providerId, attempt });
        await clock.sleep(pauseMs, signal);
      }
    }
  };

  const createSender = (): SlotSender | undefined => {
    const { streamBytes } = api;
    if (streamBytes === undefined || stepBytes > stepBytesMax) return undefined;
    return createSlotSender({
      uploadId,
      totalBytes: total,
      stepBytes,
      streamBytes: (...call) => streamBytes(...call),
      clock,
      signal,
      deadlineMs: (bytes) => transferMs(limits, bytes),
      timeout: (ms) => new PpioError("TIMEOUT", `sending slot bytes at provider ${request.providerId} took longer than ${ms} ms.`),
      received: () => received,
      take,
      sending: (end) => {
        sent = Math.max(sent, end);
      },
      persist: persistBody,
    });
  };

  /** Where bodies cannot be told of while they come, every batch is a request. */
  const putAlone = async (offset: number, bytes: Uint8Array): Promise<void> => {
    const end = offset + bytes.length;
    let cut = false;
    await persist("sending slot bytes", transferMs(limits, bytes.length), async (inner) => {
      if (cut) take(await api.uploadState(uploadId, inner));
      cut = true;
      if (received < offset) {
        throw new PpioError("IO", `Provider ${request.providerId} lost bytes that it had acknowledged; another provider is used.`);
      }
      if (received >= end) return;
      sent = Math.max(sent, end);
      take(await api.putBytes(uploadId, received, bytes.subarray(received - offset), inner));
      if (received < end) throw new PpioError("TRUNCATED", `Provider ${request.providerId} took fewer bytes than were sent.`);
    });
  };

  return {
    providerId: request.providerId,
    slotIndex: request.slotIndex,
    get receivedBytes() {
      return received;
    },
    async open() {
      const body = await openBody();
      take(await persist("opening an upload", limits.requestMs, (inner) => api.openUpload(body, inner)));
    },
    put(offset, bytes) {
      sender ??= createSender();
      if (sender !== undefined) return sender.put(offset, bytes);
      const done = alone.then(() => putAlone(offset, bytes));
      alone = done;
      // Whoever puts is told.
      done.catch(() => {});
      return done;
    },
    finish: (body) => persist("asking for an offer", transferMs(limits, total), (inner) => api.finishUpload(uploadId, body, inner)),
    async drop() {
      try {
        const body = await openBody();
        // Without the caller's signal: a cancelled put cleans up too.
        await withDeadline(clock, limits.requestMs, undefined, "dropping an upload", (inner) => api.dropUpload(uploadId, body, inner));
      } catch (error) {
        log.debug("an upload was not dropped; the provider forgets it by itself", { providerId: request.providerId, error: String(error) });
      }
    },
  };
}
