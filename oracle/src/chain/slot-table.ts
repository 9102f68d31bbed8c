/** Every slot of the market and who holds it, followed from the chain's events. */
import { type ChainConnection, EventFollower } from "@ppio/daemon";

export interface HeldSlot {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly providerId: number;
}

interface SlotEvent extends HeldSlot {
  readonly name: string;
  readonly block: number;
}

const NAMES = ["SlotFilled", "SlotVacated", "SlotClosed"] as const;

export class SlotTable {
  readonly #follower: EventFollower<SlotEvent>;
  #held = new Map<string, HeldSlot>();

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
          const { dealId, slotIndex, providerId } = parsed.args;
          const slot = { dealId: String(dealId), slotIndex: Number(slotIndex), providerId: Number(providerId) };
          return [{ ...slot, name: parsed.name, block: log.blockNumber }];
        });
      },
    });
  }

  async refresh(): Promise<void> {
    const held = new Map<string, HeldSlot>();
    for (const { name, dealId, slotIndex, providerId } of await this.#follower.refresh()) {
      const key = `${dealId}/${slotIndex}`;
      if (name === "SlotFilled") held.set(key, { dealId, slotIndex, providerId });
      else held.delete(key);
    }
    this.#held = held;
  }

  /** Slots that are in their provider's inventory, by provider. */
  byProvider(): ReadonlyMap<number, readonly HeldSlot[]> {
    const groups = new Map<number, HeldSlot[]>();
    for (const slot of this.#held.values()) {
      const group = groups.get(slot.providerId);
      if (group === undefined) groups.set(slot.providerId, [slot]);
      else group.push(slot);
    }
    return groups;
  }
}
