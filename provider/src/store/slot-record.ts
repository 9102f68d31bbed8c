/** What a provider remembers of a slot: `meta.json` beside its data. */

import { type DealHeader, decodeDealHeader, PpioError } from "@ppio/core";
import { concat, getBytes, keccak256 } from "ethers";

/**
 * receiving: bytes come in, nothing was promised; sealed: complete, durable, root known, offers may be out. Whether a sealed slot is
 * dealt, the chain says.
 */
export type SlotState = "receiving" | "sealed";

export interface SlotMeta {
  readonly version: 1;
  readonly uploadId: string;
  readonly dealId: string;
  readonly dealSalt: string;
  readonly slotIndex: number;
  readonly owner: string;
  readonly payer: string;
  /** Encoded deal header, 0x hex. */
  readonly header: string;
  readonly state: SlotState;
  /** 0x hex, once sealed. */
  readonly root: string | null;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Unix seconds until which a signed offer may be used; 0 while there is none. */
  readonly offeredUntil: number;
}

export function uploadIdOf(dealId: string, slotIndex: number): string {
  return keccak256(concat([dealId, Uint8Array.of(slotIndex)])).slice(2);
}

export function headerOf(meta: SlotMeta): DealHeader {
  return decodeDealHeader(getBytes(meta.header));
}

export function parseMeta(value: unknown): SlotMeta {
  const meta = value as Partial<SlotMeta> | undefined;
  const isKnown = meta?.version === 1 && (meta.state === "receiving" || meta.state === "sealed") && typeof meta.header === "string";
  if (!isKnown || (meta.state === "sealed" && typeof meta.root !== "string"))
    throw new PpioError("CORRUPT", "A slot's meta.json is damaged.");
  return meta as SlotMeta;
}
