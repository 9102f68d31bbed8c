/**
 * What must survive a crash between paying for a deal and listing its object. A record is saved before the transaction is sent and
 * taken out after the head has moved; it is sealed, so the host may keep it anywhere durable.
 */
export interface JournalRecord {
  /** The deal's id, 0x hex. */
  readonly id: string;
  readonly sealed: Uint8Array;
}

export interface PutJournal {
  /** Durable once it resolves. */
  save(record: JournalRecord): Promise<void>;
  done(id: string): Promise<void>;
  list(): Promise<readonly JournalRecord[]>;
}

/** For tests and for hosts that accept the loss. */
export function createMemoryJournal(): PutJournal {
  const records = new Map<string, JournalRecord>();
  return {
    save: async (record) => {
      records.set(record.id, record);
    },
    done: async (id) => {
      records.delete(id);
    },
    list: async () => [...records.values()],
  };
}
