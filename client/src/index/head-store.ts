/** Where bucket heads are kept: small sealed records, moved by compare-and-swap. */
import { PpioError } from "@ppio/core";

export interface HeadStore {
  /** The record of `id` (64 hex digits), as it was swapped in; nothing when there is none. */
  read(id: string): Promise<Uint8Array | undefined>;
  /**
   * Durably replaces the record, atomically with the comparison.
   * @param expected the record as it was read; nothing when there must be none
   * @throws CONFLICT when the record is not `expected`
   */
  swap(id: string, expected: Uint8Array | undefined, next: Uint8Array): Promise<void>;
}

/** For tests and for pages that keep nothing. */
export function createMemoryHeadStore(): HeadStore {
  const records = new Map<string, Uint8Array>();
  return {
    read: async (id) => records.get(id)?.slice(),
    swap: async (id, expected, next) => {
      const current = records.get(id);
      const same =
        current === undefined || expected === undefined
          ? current === expected
          : current.length === expected.length && current.every((byte, at) => byte === expected[at]);
      if (!same) throw new PpioError("CONFLICT", "The bucket's head was moved by another writer.");
      records.set(id, next.slice());
    },
  };
}
