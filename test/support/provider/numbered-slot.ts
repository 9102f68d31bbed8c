/** Slots that two processes know by a number alone. */
import { createHash } from "node:crypto";
import { slotBytes } from "@ppio/core";
import { uploadIdOf } from "@ppio/provider";
import { id } from "ethers";
import { makeSlot, rootOfData, type TestSlot } from "./slot.ts";

export const NUMBERED_HEADER = { k: 1, n: 2, cellBytes: 16_384, lastCellBytes: 2_048, rows: 5 };
export const CAPACITY_BYTES = 1 << 30;
export const WRITERS = 4;

export function numberedSlot(number: number): TestSlot {
  const data = new Uint8Array(
    createHash("shake256", { outputLength: slotBytes(NUMBERED_HEADER) })
      .update(String(number))
      .digest(),
  );
  const slot = makeSlot(NUMBERED_HEADER);
  const dealId = id(`deal ${number}`);
  const meta = { ...slot.meta, dealId, uploadId: uploadIdOf(dealId, slot.meta.slotIndex) };
  return { header: NUMBERED_HEADER, data, root: rootOfData(NUMBERED_HEADER, data), meta };
}
