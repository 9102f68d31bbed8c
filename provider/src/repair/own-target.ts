/** A rebuilt slot in this provider's own store. */
import { buildLeafProof, encodeDealHeader, LEAF_BYTES, leafCountOf, type OfferBody, PpioError, type SlotOffer } from "@ppio/core";
import { bytesAtHand } from "@ppio/daemon";
import { hexlify, Signature } from "ethers";
import { uploadIdOf } from "../store/slot-record.ts";
import type { RepairContext } from "./context.ts";
import type { DealSlot, RepairableDeal } from "./deal.ts";
import type { Target } from "./target.ts";

/** @param until when the slot's reservation ends, Unix seconds */
export function ownTarget(
  context: RepairContext,
  deal: RepairableDeal & { readonly dealSalt: string },
  slot: DealSlot,
  until: number,
): Target {
  const { store, offers, reserved, providerId, now } = context;
  const { dealId, dealSalt, owner, payer, header, renewUntil } = deal;
  const { slotIndex } = slot;
  const uploadId = uploadIdOf(dealId, slotIndex);
  const root = hexlify(slot.root);
  return {
    slot,
    providerId,
    async open() {
      if (store.find(uploadId) === undefined) {
        const meta = {
          version: 1,
          uploadId,
          dealId,
          dealSalt,
          slotIndex,
          owner,
          payer,
          header: hexlify(encodeDealHeader(header)),
        } as const;
        await store.create({ ...meta, state: "receiving", root: null, createdAt: now(), offeredUntil: 0 });
        reserved.note(uploadId, until);
      } else if (reserved.endsAt(uploadId) !== undefined) reserved.note(uploadId, until);
      return store.find(uploadId)?.receivedBytes ?? 0;
    },
    async put(offset, bytes) {
      const received = store.find(uploadId)?.receivedBytes ?? 0;
      if (received >= offset + bytes.length) return;
      if (received < offset) throw new PpioError("IO", "This provider's store lost bytes of a slot that is being rebuilt.");
      await store.append(uploadId, received, bytesAtHand(bytes.subarray(received - offset)));
    },
    async finish({ startBy, periods }) {
      const meta = await store.check(uploadId, root);
      const terms = { payPerPeriodWei: String(slot.payPerPeriodWei), minCollateralWei: String(slot.collateralWei) };
      return offerOf(await offers.make(meta, { root, startBy, periods, renewUntil, ...terms }));
    },
    async leafProof(leafIndex) {
      const cell = await store.readCell(uploadId, Math.floor((leafIndex * LEAF_BYTES) / header.cellBytes));
      return buildLeafProof(header, await store.cellRoots(uploadId), cell, leafIndex);
    },
    async drop() {
      // An offer that is out binds; housekeeping drops the slot when nobody uses it.
      const found = store.find(uploadId);
      if (found === undefined || found.meta.offeredUntil > 0) return;
      await store.drop(uploadId).then(
        () => reserved.forget(uploadId),
        () => undefined,
      );
    },
  };

  function offerOf(body: OfferBody): SlotOffer {
    const { r, yParityAndS: vs } = Signature.from(body.signature);
    const { operatorEpoch, expiry } = body;
    const amounts = { payPerPeriodWei: BigInt(body.payPerPeriodWei), collateralWei: BigInt(body.collateralWei) };
    return { providerId, operatorEpoch, root, leafCount: leafCountOf(header), ...amounts, expiry, r, vs };
  }
}
