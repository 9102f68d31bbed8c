/** The owner's right to read a deal, as providers want to see it. */
import { type DealHeader, readTicketMessage, type SigningDomain, type TicketEnvelope, ticketAuthorization } from "@ppio/core";
import { hexlify, type Signer, ZeroAddress } from "ethers";
import type { Clock, Random } from "../deps.ts";

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
    expiry: Math.floor(options.clock.nowMs() / 1000) + options.seconds,
    nonce: hexlify(options.random(32)),
  };
  const envelope: TicketEnvelope = { ticket, signature: await readTicketMessage.sign(options.domain, ticket, options.signer) };
  return ticketAuthorization(envelope);
}
