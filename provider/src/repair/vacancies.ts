/**
 * Deals in which nobody may hold some slot, found from the chain's events: slots that became vacant, and providers that were evicted, whose
 * slots are vacant before anybody has settled them. The chain is asked before anything is done; nothing here needs to be saved.
 */
import { type ChainConnection, EventFollower } from "@ppio/daemon";

/** Blocks that may yet be taken back: what they said is looked at again. */
const REORG_BLOCKS = 64;

type VacancyEvent = { readonly block: number } & (
  | { readonly kind: "vacated"; readonly dealId: string }
  | { readonly kind: "evicted"; readonly providerId: number }
);

interface Seen {
  /** Of the newest event. */
  readonly block: number;
}

export class Vacancies {
  readonly #chain: ChainConnection;
  readonly #follower: EventFollower<VacancyEvent>;
  /** Deals of providers that were evicted. They never come back, and their deals are few more after. */
  readonly #dealsOfEvicted = new Map<number, readonly string[]>();
  /** Up to which block a deal's vacancies are over. */
  readonly #over = new Map<string, number>();
  #open = new Map<string, Seen>();
  /** The events that `#open` was made of. */
  #readEvents = "";
  #latest = 0;

  constructor(chain: ChainConnection) {
    const { rpc, book, market, registry } = chain;
    this.#chain = chain;
    this.#follower = new EventFollower({
      fromBlock: book.fromBlock,
      latestBlock: async () => {
        this.#latest = await rpc.getBlockNumber();
        return this.#latest;
      },
      query: async (from, to) => {
        const [vacated, evicted] = await Promise.all([
          market.queryFilter(market.filters.SlotVacated(), from, to),
          registry.queryFilter(registry.filters.ProviderEvicted(), from, to),
        ]);
        return [
          ...vacated.map((log): VacancyEvent => ({ kind: "vacated", block: log.blockNumber, dealId: log.args.dealId })),
          ...evicted.map((log): VacancyEvent => ({ kind: "evicted", block: log.blockNumber, providerId: Number(log.args.providerId) })),
        ];
      },
    });
  }

  /** Reads what is new on the chain. */
  async refresh(): Promise<void> {
    const events = await this.#follower.refresh();
    const readEvents = events.map((event) => `${event.block}/${event.kind === "vacated" ? event.dealId : event.providerId}`).join();
    if (readEvents === this.#readEvents) return;
    const open = new Map<string, Seen>();
    const note = (dealId: string, block: number): void => {
      const newest = Math.max(block, open.get(dealId)?.block ?? 0);
      if (newest > (this.#over.get(dealId) ?? -1)) open.set(dealId, { block: newest });
    };
    for (const event of events) {
      if (event.kind === "vacated") note(event.dealId, event.block);
      else for (const dealId of await this.#dealsOf(event.providerId)) note(dealId, event.block);
    }
    this.#open = open;
    this.#readEvents = readEvents;
  }

  /** Deals that may have vacant slots. */
  deals(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** Block of the newest event that may have made a slot of the deal vacant; 0 when there is none. */
  newestBlock(dealId: string): number {
    return this.#open.get(dealId)?.block ?? 0;
  }

  /** The chain says that nothing is vacant in the deal, or that it is over. */
  forget(dealId: string): void {
    const seen = this.#open.get(dealId);
    if (seen === undefined || seen.block > this.#latest - REORG_BLOCKS) return;
    this.#over.set(dealId, seen.block);
    this.#open.delete(dealId);
  }

  async #dealsOf(providerId: number): Promise<readonly string[]> {
    const known = this.#dealsOfEvicted.get(providerId);
    if (known !== undefined) return known;
    const { market, book } = this.#chain;
    // What a provider got in a block that was taken back is found by the vacancy that whoever settles it causes.
    const filled = new Set<string>();
    const follower = new EventFollower({
      fromBlock: book.fromBlock,
      latestBlock: async () => this.#latest,
      query: async (from, to) => {
        const logs = await market.queryFilter(market.filters.SlotFilled(undefined, undefined, providerId), from, to);
        return logs.map((log) => ({ block: log.blockNumber, dealId: log.args.dealId }));
      },
    });
    for (const { dealId } of await follower.refresh()) filled.add(dealId);
    const deals = [...filled];
    this.#dealsOfEvicted.set(providerId, deals);
    return deals;
  }
}
