/**
 * Who may upload a slot (docs/protocol/http.md, "Upload authority"): the owner of the deal, or who holds the slot's reservation and rebuilt
 * it. A repairer gets what the chain says of the deal, and nothing else, into the offer.
 */
import { dealHeaderHash, dealIdOf, decodeDealHeader, type OpenUploadBody, PpioError, uploadRequestMessage } from "@ppio/core";
import { getBytes } from "ethers";
import { askChain } from "../ask-chain.ts";
import type { ProviderContext } from "../context.ts";
import type { OpenReservation, ReservationBook } from "../repair/reservation-book.ts";

/** @returns the reservation whose holder asks; undefined for the owner @throws UNAUTHORIZED, CHAIN_UNREACHABLE */
export async function checkUploadRequest(
  context: ProviderContext,
  reservations: ReservationBook,
  body: OpenUploadBody,
): Promise<OpenReservation | undefined> {
  const { request, signature } = body;
  const { domain, providerId, now, chain } = context;
  const signer = uploadRequestMessage.recover(domain, request, signature);
  if (request.providerId !== providerId) {
    throw new PpioError("UNAUTHORIZED", `The upload request is for provider ${request.providerId}, this is ${providerId}.`);
  }
  if (request.expiry * 1000 < now()) throw new PpioError("UNAUTHORIZED", "The upload request has expired; sign a new one.");
  if (signer === request.owner) return undefined;
  const dealId = dealIdOf(domain, request.owner, request.dealSalt);
  const open = signer === undefined ? undefined : await reservations.find(dealId, request.slotIndex);
  if (open === undefined || open.repairer !== signer) {
    throw new PpioError("UNAUTHORIZED", "The upload request is not signed by its owner, nor by who holds the slot's reservation.");
  }
  const deal = await askChain(() => chain.market.deal(dealId));
  if (deal.payer !== request.payer || dealHeaderHash(decodeDealHeader(getBytes(deal.header))) !== request.headerHash) {
    throw new PpioError("UNAUTHORIZED", "The upload request names another payer or header than the deal on the chain.");
  }
  return open;
}
