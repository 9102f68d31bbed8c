/**
 * Who holds which reservation, asked of the chain and remembered shortly: a repairer shows its ticket with every read, and a stranger's
 * tickets must not become a load on the node.
 */
import { askChain } from "../ask-chain.ts";
import type { ProviderContext } from "../context.ts";

/** Slot state of IStorageMarket: the owner may have refilled a slot over a reservation that is still there. */
const RESERVED = 5n;
const HELD_KEPT_MS = 10_000;
/** A reservation that was made just now must be found soon. */
const NONE_KEPT_MS = 1_000;
const KEPT_MAX = 1_024;

export interface OpenReservation {
  readonly repairer: string;
  /** Unix seconds. */
  readonly openedAt: number;
  readonly until: number;
}

interface Known {
  readonly goodUntilMs: number;
  readonly answer: Promise<OpenReservation | undefined>;
}

export class ReservationBook {
  readonly #context: Pick<ProviderContext, "chain" | "now">;
  readonly #known = new Map<string, Known>();

  constructor(context: Pick<ProviderContext, "chain" | "now">) {
    this.#context = context;
  }

  /** The reservation that is open now. @throws CHAIN_UNREACHABLE */
  async find(dealId: string, slotIndex: number): Promise<OpenReservation | undefined> {
    const { now } = this.#context;
    const key = `${dealId}/${slotIndex}`;
    const known = this.#known.get(key);
    const isKnown = known !== undefined && known.goodUntilMs > now();
    const answer = isKnown ? known.answer : this.#ask(key, dealId, slotIndex);
    const found = await answer;
    return found !== undefined && found.until * 1000 >= now() ? found : undefined;
  }

  #ask(key: string, dealId: string, slotIndex: number): Promise<OpenReservation | undefined> {
    const { now } = this.#context;
    const answer = this.#read(dealId, slotIndex);
    // Those who ask at the same time wait for the same answer.
    this.#remember(key, { goodUntilMs: now() + NONE_KEPT_MS, answer });
    answer.then(
      (found) => found !== undefined && this.#remember(key, { goodUntilMs: now() + HELD_KEPT_MS, answer }),
      () => this.#known.delete(key),
    );
    return answer;
  }

  async #read(dealId: string, slotIndex: number): Promise<OpenReservation | undefined> {
    const { repair, market } = this.#context.chain;
    const [reservation, slot] = await askChain(() =>
      Promise.all([repair.reservationOf(dealId, slotIndex), market.slot(dealId, slotIndex)]),
    );
    if (slot.status !== RESERVED) return undefined;
    return { repairer: reservation.repairer, openedAt: Number(reservation.openedAt), until: Number(reservation.until) };
  }

  #remember(key: string, known: Known): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KEPT_MAX) break;
      this.#known.delete(oldest);
    }
  }
}
