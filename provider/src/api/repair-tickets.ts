/**
 * Reads by repairers (docs/protocol/http.md, "Read authority"): whoever holds an open reservation of a slot may read the deal's other slots,
 * as much as a repair needs and no faster than repairs may run. The ticket names this provider, so that no provider can ask its peers with
 * a ticket that it was shown.
 */
import { PpioError, repairTicketMessage, slotBytes } from "@ppio/core";
import { pause } from "@ppio/daemon";
import type { ProviderContext } from "../context.ts";
import type { Charge } from "../pay/desk.ts";
import { Pace } from "../repair/pace.ts";
import { ReservationBook } from "../repair/reservation-book.ts";
import { ServingBudget } from "../repair/serving-budget.ts";
import { KnownTickets } from "./known-tickets.ts";
import { parseRepairTicket } from "./parse.ts";
import type { Pay, Wanted } from "./tickets.ts";

/** A read waits this long for its turn at most; then its reader shall ask others. */
const BACKLOG_MS_MAX = 20_000;

interface Recovered {
  readonly providerId: number;
  readonly dealId: string;
  readonly slotIndex: number;
  readonly expiry: number;
  readonly signer: string | undefined;
}

export class RepairTicketDesk {
  readonly #context: ProviderContext;
  readonly #reservations: ReservationBook;
  readonly #budget: ServingBudget;
  readonly #pace: Pace;
  readonly #known = new KnownTickets<Recovered>();

  constructor(context: ProviderContext) {
    this.#context = context;
    this.#reservations = new ReservationBook(context);
    this.#budget = new ServingBudget(context.now);
    this.#pace = new Pace({ bytesPerSecond: context.config.repairBytesPerSecond, now: () => performance.now(), wait: pause });
  }

  /** Resolves when the read may begin. @throws UNAUTHORIZED, REFUSED, CHAIN_UNREACHABLE */
  async check(authorization: string, wanted: Wanted, pay: Pay): Promise<Charge | undefined> {
    const { now, providerId, metrics } = this.#context;
    const ticket = this.#known.get(authorization) ?? this.#recover(authorization);
    if (ticket.providerId !== providerId) throw refuse(`is for provider ${ticket.providerId}, this is ${providerId}`);
    if (ticket.dealId.toLowerCase() !== wanted.dealId) throw refuse("is for another deal");
    if (ticket.expiry * 1000 < now()) throw refuse("has expired");
    const open = await this.#reservations.find(wanted.dealId, ticket.slotIndex);
    if (open === undefined || open.repairer !== ticket.signer) {
      throw refuse(`is not signed by who holds an open reservation of slot ${ticket.slotIndex}`);
    }
    this.#known.put(authorization, ticket);
    if (this.#pace.backlogMs > BACKLOG_MS_MAX) {
      throw new PpioError("REFUSED", "This provider serves other repairs; read from other slots or try again later.");
    }
    const windowMs = (open.until - open.openedAt) * 1000;
    const { uploadId, length: bytes } = wanted;
    const charge = await pay();
    try {
      this.#budget.spend({
        uploadId,
        repairer: open.repairer,
        forSlot: ticket.slotIndex,
        bytes,
        slotBytes: slotBytes(wanted.header),
        windowMs,
      });
    } catch (error) {
      charge?.refund();
      throw error;
    }
    metrics.add("ppio_repair_served_bytes_total", bytes);
    await this.#pace.take(bytes, NEVER);
    return charge;
  }

  #recover(authorization: string): Recovered {
    const { ticket, signature } = parseRepairTicket(authorization);
    return { ...ticket, signer: repairTicketMessage.recover(this.#context.domain, ticket, signature) };
  }
}

/** A wait is bounded by the backlog already. */
const NEVER = new AbortController().signal;

function refuse(why: string): PpioError {
  return new PpioError("UNAUTHORIZED", `The repair ticket ${why}; reserve a vacant slot of the deal first.`);
}
