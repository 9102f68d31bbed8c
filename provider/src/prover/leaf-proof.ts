/** A leaf of a held slot with its siblings, as the contracts take it: for the draws of a period, and for challenges. */
import { buildLeafProof, LEAF_BYTES, PpioError } from "@ppio/core";
import { concat } from "ethers";
import { uploadIdOf } from "../store/slot-record.ts";
import type { SlotStore } from "../store/slot-store.ts";

/**
 * @returns 0x hex
 * @throws CORRUPT when the bytes do not match, IO when the disk fails or does not have the slot
 */
export async function leafProof(store: SlotStore, dealId: string, slotIndex: number, leafIndex: number): Promise<string> {
  const uploadId = uploadIdOf(dealId, slotIndex);
  const found = store.find(uploadId);
  if (found === undefined) {
    const message = `Slot ${slotIndex} of deal ${dealId} is not in the data folder; mount the right disk, or restore the slot.`;
    throw new PpioError("IO", message, { details: { dealId, slotIndex } });
  }
  const row = Math.floor((leafIndex * LEAF_BYTES) / found.header.cellBytes);
  const cell = await store.readCell(uploadId, row);
  const { leaf, siblings } = buildLeafProof(found.header, await store.cellRoots(uploadId), cell, leafIndex);
  return concat([leaf, ...siblings]);
}
