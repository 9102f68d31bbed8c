/** What reading a deal takes, as bytes: a JSON document, sealed under a key of its own and bound to the deal. */
import { decodeDealHeader, encodeDealHeader, PpioError } from "@ppio/core";
import { getBytes, hexlify, isHexString, toUtf8Bytes } from "ethers";
import { type DealSource, NOBODY, SLOT_STATUS, type SlotProvider, type SlotSource } from "../chain/deal-view.ts";
import { keptDealKey } from "../keys/index.ts";
import { openRecord, type RecordKeys, sealRecord } from "../seal/index.ts";

const VERSION = 1;
const ROOT_BYTES = 32;

/** Whose records these are. */
export interface KeptBy {
  readonly masterSecret: Uint8Array;
  readonly applicationSecret: Uint8Array;
}

/** Equal for equal deals. */
export function encodeDeal({ dealId, header, slots }: DealSource): string {
  const plain = slots.map(({ root, status, provider }) => ({ root: hexlify(root), status, provider: plainProvider(provider) }));
  return JSON.stringify({ version: VERSION, dealId, header: hexlify(encodeDealHeader(header)), slots: plain });
}

/** @throws BAD_FORMAT */
export function decodeDeal(text: string): DealSource {
  const { version, dealId, header, slots } = JSON.parse(text) as Record<string, unknown>;
  if (version !== VERSION || typeof dealId !== "string" || typeof header !== "string" || !Array.isArray(slots)) throw malformed();
  return { dealId, header: decodeDealHeader(getBytes(header)), slots: slots.map(decodeSlot) };
}

export function sealDeal(by: KeptBy, deal: DealSource, random: (length: number) => Uint8Array): Promise<Uint8Array> {
  return sealRecord(keysOf(by, deal.dealId), toUtf8Bytes(encodeDeal(deal)), random);
}

/** @throws WRONG_KEY, BAD_FORMAT */
export async function openDeal(by: KeptBy, dealId: string, sealed: Uint8Array): Promise<DealSource> {
  const deal = decodeDeal(new TextDecoder().decode(await openRecord(keysOf(by, dealId), sealed)));
  if (deal.dealId !== dealId) throw malformed();
  return deal;
}

function keysOf({ masterSecret, applicationSecret }: KeptBy, dealId: string): RecordKeys {
  return { key: keptDealKey(masterSecret), applicationSecret, context: getBytes(dealId) };
}

/** The fields in their order. */
function plainProvider({ providerId, owner, operator, endpoint, failureDomain, evicted }: SlotProvider): SlotProvider {
  return { providerId, owner, operator, endpoint, failureDomain, evicted };
}

function decodeSlot(value: unknown, slotIndex: number): SlotSource {
  const { root, status, provider } = value as { root?: unknown; status?: unknown; provider?: Partial<SlotProvider> };
  const known = SLOT_STATUS.find((one) => one === status);
  if (!isHexString(root, ROOT_BYTES) || known === undefined || typeof provider !== "object") throw malformed();
  return { slotIndex, root: getBytes(root), status: known, provider: plainProvider({ ...NOBODY, ...provider }) };
}

function malformed(): PpioError {
  return new PpioError("BAD_FORMAT", "What was kept of a deal is malformed.");
}
