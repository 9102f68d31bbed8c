/** A slot of a deal as a source: on this provider's own disk, or at its holder, by ticket. */
import { type AnswerHead, cellLength, lieEvidence, PpioError, readVerifiedRange } from "@ppio/core";
import { uploadIdOf } from "../store/slot-record.ts";
import type { Peer, RepairContext } from "./context.ts";
import type { DealSlot, RepairableDeal } from "./deal.ts";
import { paidApi, within } from "./peers.ts";
import type { Source } from "./sources.ts";

export function peerSource(context: RepairContext, deal: RepairableDeal, slot: DealSlot, peer: Peer, authorization: string): Source {
  const { dealId, header } = deal;
  const { slotIndex } = slot;
  const { providerId } = peer;
  const api = paidApi(context, peer);
  const keepLie = async (head: AnswerHead, offset: number): Promise<void> => {
    const firstCell = Math.floor(offset / header.cellBytes);
    const evidence = lieEvidence(context.domain, { dealId, slotIndex, firstCell, shape: header }, head);
    if (evidence === undefined) return;
    // The read has failed anyway, and says why.
    await context.lies.keep(providerId, evidence).catch((error: unknown) => {
      context.log.error("a provider signed a lie, and the proof could not be kept", { providerId, dealId, slotIndex, error });
    });
  };
  return {
    slotIndex,
    providerId,
    async read(offset, length, signal) {
      const answer = await api.readSlot({ dealId, slotIndex, offset, length, authorization }, within(signal, length));
      try {
        const range = { shape: header, root: slot.root, offset, length };
        const options = { who: `Provider ${providerId}`, onContradiction: (head: AnswerHead) => keepLie(head, offset) };
        return (await readVerifiedRange(answer, range, options)).bytes;
      } finally {
        await answer.close();
      }
    },
  };
}

/** The store checks what it reads. */
export function ownSource({ store, providerId }: RepairContext, { dealId, header }: RepairableDeal, { slotIndex }: DealSlot): Source {
  const uploadId = uploadIdOf(dealId, slotIndex);
  return {
    slotIndex,
    providerId,
    async read(offset, length, signal) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; ) {
        if (signal.aborted) throw new PpioError("CANCELLED", "The repair was stopped.");
        const row = Math.floor((offset + at) / header.cellBytes);
        const from = offset + at - row * header.cellBytes;
        const to = Math.min(cellLength(header, row), from + length - at);
        bytes.set((await store.readCell(uploadId, row)).subarray(from, to), at);
        at += to - from;
      }
      return bytes;
    },
  };
}
