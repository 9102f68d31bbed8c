/**
 * Who may read (docs/protocol/http.md, "Read authority"). To recover a signer takes as long as to read a MiB, and a reader shows the same
 * ticket with every request: whose signatures were right is remembered.
 */
import { PpioError, readTicketMessage, type TicketEnvelope } from "@ppio/core";
import { getBytes, hashMessage, ZeroAddress } from "ethers";
import type { ProviderContext } from "../context.ts";
import { recoverSigner } from "../fast-crypto.ts";
import { parseTicket } from "./parse.ts";

const KNOWN_MAX = 1_024;
/** Of both headers; longer ones than a client makes are recovered every time. */
const KNOWN_CHARS_MAX = 2_048;

export interface Wanted {
  readonly dealId: string;
  readonly owner: string;
  readonly firstCell: number;
  readonly cellCount: number;
}

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
  /** By the headers as they were shown; the least recently used goes first. */
  readonly #known = new Map<string, KnownTicket>();

  constructor(context: ProviderContext) {
    this.#context = context;
  }

  /** @throws UNAUTHORIZED */
  check(shown: ShownTicket, wanted: Wanted): void {
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
    this.#remember(key, known);
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

  /** Good ones only, so that strangers cannot push them out. */
  #remember(key: string, known: KnownTicket): void {
    if (key.length > KNOWN_CHARS_MAX) return;
    this.#known.delete(key);
    this.#known.set(key, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) break;
      this.#known.delete(oldest);
    }
  }
}

function refuse(why: string): PpioError {
  return new PpioError("UNAUTHORIZED", `The ticket ${why}; ask the deal's owner for another.`);
}
