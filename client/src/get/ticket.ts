/** The owner's right to read a deal, as providers want to see it. */
import { type DealHeader, readTicketMessage, type SigningDomain, type TicketEnvelope, ticketAuthorization } from "@ppio/core";
import { hexlify, type Signer, ZeroAddress } from "ethers";
import type { Clock, Random } from "../deps.ts";

/** Tickets end at multiples of this share of their time: at full hours when they are for six. */
const ENDS_PER_TICKET = 6;

/** Value of the `authorization` header for all cells of a deal. */
export async function issueTicket(options: {
  readonly domain: SigningDomain;
  readonly signer: Signer;
  readonly dealId: string;
  readonly header: DealHeader;
  readonly seconds: number;
  readonly clock: Clock;
  readonly random: Random;
}): Promise<string> {
  const ticket = {
    dealId: options.dealId,
    firstCell: 0,
    cellCount: options.header.rows,
    audience: ZeroAddress,
    expiry: endOf(Math.floor(options.clock.nowMs() / 1000), options.seconds),
    nonce: hexlify(options.random(32)),
  };
  const envelope: TicketEnvelope = { ticket, signature: await readTicketMessage.sign(options.domain, ticket, options.signer) };
  return ticketAuthorization(envelope);
}

/** Not to the second: a ticket shall not tell when it was made, nor a verifier's, which were made long before, from a customer's. */
function endOf(nowSeconds: number, seconds: number): number {
  const latest = nowSeconds + seconds;
  return latest - (latest % Math.max(1, Math.floor(seconds / ENDS_PER_TICKET)));
}
