/**
 * The listing of a put, on its way while the last rows of its object are, and while their providers sign: it needs nothing of the offers but
 * the collateral that they will lock, which is known beforehand.
 */
import type { IndexEntry } from "@ppio/core";
import { cancelled } from "../deps.ts";
import type { StoredIndex } from "../index/bucket.ts";

export interface ListingAhead {
  /** Instead of one that was begun before. Never throws. */
  begin(entry: IndexEntry, promisedWei: ReadonlyMap<number, bigint>): void;
  /** The listing with an object's entry; nothing when none was begun, or it came to nothing. */
  take(): Promise<StoredIndex | undefined>;
  /** Stops what nobody has taken; its providers are told to forget it. */
  stop(): Promise<void>;
  /** Stops, for good. */
  close(): Promise<void>;
}

type Store = (entry: IndexEntry, promisedWei: ReadonlyMap<number, bigint>, signal: AbortSignal) => Promise<StoredIndex>;

export function createListingAhead(store: Store, signal: AbortSignal | undefined): ListingAhead {
  let stopped = new AbortController();
  let listing: Promise<StoredIndex | undefined> | undefined;
  const onAbort = (): void => stopped.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);

  const stop = async (): Promise<void> => {
    const dropped = listing;
    listing = undefined;
    stopped.abort(cancelled());
    await dropped;
  };

  return {
    begin(entry, promisedWei) {
      void stop();
      stopped = new AbortController();
      if (signal?.aborted) return;
      listing = store(entry, promisedWei, stopped.signal).catch(() => undefined);
    },
    take: async () => {
      const taken = listing;
      listing = undefined;
      return taken;
    },
    stop,
    async close() {
      signal?.removeEventListener("abort", onAbort);
      await stop();
    },
  };
}
