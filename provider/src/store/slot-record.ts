/** What a provider remembers of a slot: `meta.json` beside its data. */

import { type DealHeader, decodeDealHeader, PpioError } from "@ppio/core";
import { concat, getBytes, isHexString, keccak256, toUtf8Bytes } from "ethers";

const HASH_BYTES = 32;

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

/** The file's text: the record and a checksum, since a flipped bit in an owner or a header is as bad as one in the data. */
export function encodeMeta(meta: SlotMeta): string {
  return JSON.stringify({ ...meta, check: checksum(meta) });
}

/** @throws CORRUPT */
export function parseMeta(value: unknown): SlotMeta {
  const { check, ...meta } = (typeof value === "object" && value !== null ? value : {}) as Partial<SlotMeta> & { check?: unknown };
  const isWhole = meta.version === 1 && check === checksum(meta) && (meta.state === "receiving" || typeof meta.root === "string");
  const hashes = [meta.dealId, meta.dealSalt, ...(typeof meta.root === "string" ? [meta.root] : [])];
  if (!isWhole || !hashes.every((hash) => isHexString(hash, HASH_BYTES))) {
    throw new PpioError("CORRUPT", "A slot's meta.json is damaged.");
  }
  return meta as SlotMeta;
}

function checksum(meta: Partial<SlotMeta>): string {
  return keccak256(toUtf8Bytes(JSON.stringify(meta)));
}
