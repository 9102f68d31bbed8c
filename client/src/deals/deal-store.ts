/** Where it is kept what reading a deal takes: small sealed records, which nothing but reading while the chain is away depends on. */
export interface DealStore {
  /** @param dealId 0x hex */
  read(dealId: string): Promise<Uint8Array | undefined>;
  /** Replaces the deal's record. The host may drop the records that were saved longest ago. */
  save(dealId: string, sealed: Uint8Array): Promise<void>;
  /** Nothing happens when there is none. */
  forget(dealId: string): Promise<void>;
}

const DEALS_MAX = 1_024;

/** For tests, and for hosts that know nothing of deals once they have ended. */
export function createMemoryDealStore(dealsMax = DEALS_MAX): DealStore {
  const records = new Map<string, Uint8Array>();
  return {
    read: async (dealId) => records.get(dealId),
    save: async (dealId, sealed) => {
      records.delete(dealId);
      const oldest = records.keys().next();
      if (records.size >= dealsMax && !oldest.done) records.delete(oldest.value);
      records.set(dealId, sealed);
    },
    forget: async (dealId) => void records.delete(dealId),
  };
}
