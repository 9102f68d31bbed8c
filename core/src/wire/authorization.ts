/** The `authorization` header of a read (docs/protocol/http.md, "Read authority"): a scheme and a signed ticket. */
import { encodeBase64 } from "ethers";
import type { RepairTicketEnvelope, TicketEnvelope } from "./api.ts";

export const TICKET_SCHEME = "PPIO-Ticket ";
export const REPAIR_SCHEME = "PPIO-Repair ";

export function ticketAuthorization(envelope: TicketEnvelope): string {
  return TICKET_SCHEME + base64url(envelope);
}

export function repairAuthorization(envelope: RepairTicketEnvelope): string {
  return REPAIR_SCHEME + base64url(envelope);
}

function base64url(value: object): string {
  const base64 = encodeBase64(new TextEncoder().encode(JSON.stringify(value)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
