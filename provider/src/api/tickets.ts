/**
 * Who may read (docs/protocol/http.md, "Read authority"): who shows the owner's ticket, and who repairs. To recover a signer takes as long
 * as to read a MiB, and a reader shows the same ticket with every request: whose signatures were right is remembered.
 */
import { type DealHeader, PpioError, REPAIR_SCHEME, readTicketMessage, recoverSigner, type TicketEnvelope } from "@ppio/core";
import { getBytes, hashMessage, ZeroAddress } from "ethers";
import type { ProviderContext } from "../context.ts";
import type { Charge } from "../pay/desk.ts";
import { KnownTickets } from "./known-tickets.ts";
import { parseTicket } from "./parse.ts";
import { RepairTicketDesk } from "./repair-tickets.ts";

export interface Wanted {
  readonly uploadId: string;
  readonly dealId: string;
  readonly owner: string;
  readonly header: DealHeader;
  readonly length: number;
  readonly firstCell: number;
  readonly cellCount: number;
}

/** Takes the price of a read; nothing where reads are free. */
export type Pay = () => Promise<Charge | undefined> | undefined;

/** What the request's headers say. */
export interface ShownTicket {
  readonly authorization: string | undefined;
  readonly audienceSignature: string | undefined;
}

interface KnownTicket extends TicketEnvelope {
  /** Recovered from the signature. */
  readonly signer: string;
  readonly isForBearer: boolean;
}

export class TicketDesk {
  readonly #context: ProviderContext;
  readonly #repairs: RepairTicketDesk;
  readonly #known = new KnownTickets<KnownTicket>();

  constructor(context: ProviderContext) {
    this.#context = context;
    this.#repairs = new RepairTicketDesk(context);
  }

  /**
   * A repairer's right is the chain's to know, and it waits for its turn.
   * @param pay called once who reads may do so, and before anything is spent on it
   * @throws UNAUTHORIZED, REFUSED, and what `pay` throws
   */
  check(shown: ShownTicket, wanted: Wanted, pay: Pay): ReturnType<Pay> {
    const { authorization } = shown;
    if (authorization?.startsWith(REPAIR_SCHEME)) return this.#repairs.check(authorization, wanted, pay);
    this.#checkOwners(shown, wanted);
    return pay();
  }

  #checkOwners(shown: ShownTicket, wanted: Wanted): void {
    const key = `${shown.authorization}\n${shown.audienceSignature}`;
    const known = this.#known.get(key) ?? this.#recover(shown);
    const { ticket, signer, isForBearer } = known;
    if (ticket.dealId.toLowerCase() !== wanted.dealId) throw refuse("is for another deal");
    if (ticket.expiry * 1000 < this.#context.now()) throw refuse("has expired");
    if (ticket.firstCell > wanted.firstCell || ticket.firstCell + ticket.cellCount < wanted.firstCell + wanted.cellCount) {
      throw refuse("does not cover these cells");
    }
    if (signer !== wanted.owner) throw refuse("is not signed by the deal's owner");
    if (!isForBearer) throw refuse("is for somebody else");
    this.#known.put(key, known);
  }

  #recover({ authorization, audienceSignature }: ShownTicket): KnownTicket {
    const { domain } = this.#context;
    const { ticket, signature } = parseTicket(authorization);
    const digest = readTicketMessage.digest(domain, ticket);
    const signer = recoverSigner(digest, signature) ?? ZeroAddress;
    const isForBearer =
      ticket.audience === ZeroAddress ||
      (audienceSignature !== undefined && recoverSigner(hashMessage(getBytes(digest)), audienceSignature) === ticket.audience);
    return { ticket, signature, signer, isForBearer };
  }
}

function refuse(why: string): PpioError {
  return new PpioError("UNAUTHORIZED", `The ticket ${why}; ask the deal's owner for another.`);
}
