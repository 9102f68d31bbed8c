/** What a repairer signs with the key that holds the reservation: tickets for reads, requests for uploads. */
import {
  dealHeaderHash,
  encodeDealHeader,
  type OpenUploadBody,
  repairAuthorization,
  repairTicketMessage,
  uploadRequestMessage,
} from "@ppio/core";
import { hexlify } from "ethers";
import type { RepairContext } from "./context.ts";
import type { RepairableDeal } from "./deal.ts";

/** Unix seconds until which the reservation is open. */
type Until = number;

/** Value of the `authorization` header for one provider's slot of the deal, by the reservation of `slotIndex`. */
export async function issueRepairTicket(
  { domain, operator }: RepairContext,
  dealId: string,
  slotIndex: number,
  provider: { readonly providerId: number; readonly until: Until },
): Promise<string> {
  const ticket = { providerId: provider.providerId, dealId, slotIndex, expiry: provider.until };
  return repairAuthorization({ ticket, signature: await repairTicketMessage.sign(domain, ticket, operator) });
}

/** Asks a provider to take a slot that is being rebuilt. */
export async function issueUploadRequest(
  { domain, operator }: RepairContext,
  deal: RepairableDeal & { readonly dealSalt: string },
  slotIndex: number,
  provider: { readonly providerId: number; readonly until: Until },
): Promise<OpenUploadBody> {
  const { owner, payer, dealSalt, header } = deal;
  const request = {
    ...{ providerId: provider.providerId, owner, payer, dealSalt, slotIndex },
    ...{ k: header.k, n: header.n, headerHash: dealHeaderHash(header), expiry: provider.until },
  };
  return { request, signature: await uploadRequestMessage.sign(domain, request, operator), header: hexlify(encodeDealHeader(header)) };
}
