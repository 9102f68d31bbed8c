/** A rebuilt slot that another provider takes: uploaded with the reservation's authority, continued after a cut where it says. */
import {
  checkOffer,
  isPpioError,
  leafProofOfUnit,
  type OpenUploadBody,
  PpioError,
  readVerifiedRange,
  slotBytes,
  UNIT_BYTES,
  type UploadState,
  unitOffsetOf,
} from "@ppio/core";
import { hexlify } from "ethers";
import { uploadIdOf } from "../store/slot-record.ts";
import { issueRepairTicket, issueUploadRequest } from "./authority.ts";
import type { Peer, RepairContext } from "./context.ts";
import type { DealSlot, RepairableDeal } from "./deal.ts";
import { paidApi, persist, within } from "./peers.ts";
import type { Target } from "./target.ts";

const DROP_MS = 5_000;

export interface PeerTargetOptions {
  readonly deal: RepairableDeal & { readonly dealSalt: string };
  readonly slot: DealSlot;
  readonly peer: Peer;
  /** Unix seconds at which the reservation ends. */
  readonly until: number;
}

export function peerTarget(context: RepairContext, { deal, slot, peer, until }: PeerTargetOptions): Target {
  const { domain, now } = context;
  const { dealId, header } = deal;
  const { slotIndex, payPerPeriodWei, collateralWei } = slot;
  const { providerId } = peer;
  const api = paidApi(context, peer);
  const uploadId = uploadIdOf(dealId, slotIndex);
  const total = slotBytes(header);
  let received = 0;
  let request: Promise<OpenUploadBody> | undefined;
  let ticket: Promise<string> | undefined;

  const openBody = (): Promise<OpenUploadBody> => {
    request ??= issueUploadRequest(context, deal, slotIndex, { providerId, until });
    return request;
  };
  const take = (state: UploadState): number => {
    const isSound =
      state.slotBytes === total && Number.isSafeInteger(state.receivedBytes) && state.receivedBytes >= 0 && state.receivedBytes <= total;
    if (!isSound) throw new PpioError("BAD_FORMAT", `Provider ${providerId} reports an upload of another size.`);
    received = state.receivedBytes;
    return received;
  };

  return {
    slot,
    providerId,
    async open(signal) {
      const body = await openBody();
      return persist(context, signal, async () => take(await api.openUpload(body, within(signal))));
    },
    put: (offset, bytes, signal) => {
      const end = offset + bytes.length;
      let isCut = false;
      return persist(context, signal, async () => {
        if (isCut) take(await api.uploadState(uploadId, within(signal)));
        isCut = true;
        if (received < offset) throw new PpioError("REFUSED", `Provider ${providerId} lost bytes that it had acknowledged.`);
        if (received >= end) return;
        take(await api.putBytes(uploadId, received, bytes.subarray(received - offset), within(signal, bytes.length)));
        if (received < end) throw new PpioError("TRUNCATED", `Provider ${providerId} took fewer bytes than were sent.`);
      });
    },
    async finish({ startBy, periods }, signal) {
      const root = hexlify(slot.root);
      const terms = { payPerPeriodWei: String(payPerPeriodWei), minCollateralWei: String(collateralWei) };
      const body = await persist(context, signal, () =>
        api.finishUpload(uploadId, { root, startBy, periods, renewUntil: deal.renewUntil, ...terms }, within(signal, total)),
      );
      const candidate = { ...peer, payPerPeriodWei };
      const nowSeconds = Math.floor(now() / 1000);
      const offer = checkOffer({ domain, terms: { ...deal, startBy, periods }, slotIndex, root: slot.root, candidate, body, nowSeconds });
      if (offer.payPerPeriodWei === payPerPeriodWei && offer.collateralWei >= collateralWei) return offer;
      throw new PpioError("REFUSED", `Provider ${providerId} offers other terms than those of the slot's holder before.`);
    },
    async leafProof(leafIndex, signal) {
      ticket ??= issueRepairTicket(context, dealId, slotIndex, { providerId, until });
      const authorization = await ticket;
      const range = { shape: header, root: slot.root, offset: unitOffsetOf(leafIndex), length: UNIT_BYTES };
      const read = await persist(context, signal, async () => {
        const { offset, length } = range;
        const answer = await api.readSlot({ dealId, slotIndex, offset, length, authorization }, within(signal));
        try {
          return await readVerifiedRange(answer, range, { who: `Provider ${providerId}` });
        } finally {
          await answer.close();
        }
      });
      return leafProofOfUnit(header, leafIndex, read);
    },
    async drop() {
      try {
        await api.dropUpload(uploadId, await openBody(), AbortSignal.timeout(DROP_MS));
      } catch (error) {
        // It forgets it by itself.
        if (!isPpioError(error)) context.log.debug("a rebuilt slot was not dropped", { providerId, error });
      }
    },
  };
}
