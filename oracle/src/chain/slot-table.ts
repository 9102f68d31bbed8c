/** Every tenure of every slot of the market, followed from the chain's events: who holds a slot, and who held it and was not paid yet. */
import { type ChainConnection, EventFollower } from "@ppio/daemon";

export interface HeldSlot {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly providerId: number;
  /** The tenure ended before the deal: lost or handed over. */
  readonly isPast: boolean;
}

interface SlotEvent {
  readonly name: string;
  readonly block: number;
  readonly dealId: string;
  readonly slotIndex: number;
  readonly providerId: number;
}

const NAMES = ["SlotFilled", "SlotVacated", "SlotHandedOver"] as const;

export class SlotTable {
  readonly #follower: EventFollower<SlotEvent>;
  #held = new Map<string, HeldSlot>();
  #vacant = new Map<string, ReadonlySet<number>>();
  readonly #closedDeals = new Set<string>();
  readonly #forgotten = new Set<string>();

  constructor({ market, rpc, book }: ChainConnection) {
    const topics = NAMES.map((name) => market.interface.getEvent(name).topicHash);
    this.#follower = new EventFollower({
      fromBlock: book.fromBlock,
      latestBlock: () => rpc.getBlockNumber(),
      query: async (fromBlock, toBlock) => {
        const logs = await rpc.getLogs({ address: book.market, topics: [topics], fromBlock, toBlock });
        return logs.flatMap((log) => {
          const parsed = market.interface.parseLog(log);
          if (parsed === null) return [];
          const [dealId, slotIndex, providerId] = parsed.args;
          const slot = { dealId: String(dealId), slotIndex: Number(slotIndex), providerId: Number(providerId) };
          return [{ ...slot, name: parsed.name, block: log.blockNumber }];
        });
      },
    });
  }

  async refresh(): Promise<void> {
    const held = new Map<string, HeldSlot>();
    const vacant = new Map<string, Set<number>>();
    for (const { name, dealId, slotIndex, providerId } of await this.#follower.refresh()) {
      const slot = { dealId, slotIndex, providerId, isPast: name !== "SlotFilled" };
      if (!this.#forgotten.has(keyOf(slot))) held.set(`${dealId}/${slotIndex}/${providerId}`, slot);
      if (name === "SlotVacated") vacant.set(dealId, (vacant.get(dealId) ?? new Set()).add(slotIndex));
      else vacant.get(dealId)?.delete(slotIndex);
    }
    this.#held = held;
    for (const [dealId, slots] of vacant) if (slots.size === 0 || this.#closedDeals.has(dealId)) vacant.delete(dealId);
    this.#vacant = vacant;
  }

  /** Tenures that are not known to be over and settled, by provider. */
  byProvider(): ReadonlyMap<number, readonly HeldSlot[]> {
    const groups = new Map<number, HeldSlot[]>();
    for (const slot of this.#held.values()) {
      const group = groups.get(slot.providerId);
      if (group === undefined) groups.set(slot.providerId, [slot]);
      else group.push(slot);
    }
    return groups;
  }

  /** Slots that lost their holder and were not filled again, by deal. */
  vacancies(): readonly (readonly [dealId: string, slotIndices: readonly number[]])[] {
    return [...this.#vacant].map(([dealId, slots]) => [dealId, [...slots]]);
  }

  /** All of the deal's vacant slots are closed. */
  forgetVacancies(dealId: string): void {
    this.#closedDeals.add(dealId);
    this.#vacant.delete(dealId);
  }

  /** Nothing is left to do for this tenure. */
  forget(slot: HeldSlot): void {
    this.#forgotten.add(keyOf(slot));
    this.#held.delete(`${slot.dealId}/${slot.slotIndex}/${slot.providerId}`);
  }

  /** What was concluded from blocks that are gone is looked at again. */
  lookAgain(): void {
    this.#forgotten.clear();
    this.#closedDeals.clear();
  }
}

function keyOf({ dealId, slotIndex, providerId, isPast }: HeldSlot): string {
  return `${dealId}/${slotIndex}/${providerId}/${isPast ? "past" : "held"}`;
}
