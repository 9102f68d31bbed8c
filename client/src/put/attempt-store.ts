/**
 * Where attempts to store large objects are noted while their bytes are on the way, so that a put that was cut goes on where it was.
 * Records are sealed and marks say nothing, so the host may keep them anywhere durable.
 */

/** Marks have this length; what a crash has left of the last one is cut off when the attempt is opened. */
export const MARK_BYTES = 32;

export interface AttemptStore {
  /** What is known of an attempt, and the right to go on with it; nothing while somebody else has it. @param id 64 hex digits */
  open(id: string): Promise<StoredAttempt | undefined>;
}

export interface StoredAttempt {
  readonly record: Uint8Array | undefined;
  /** All that was appended since. */
  readonly marks: Uint8Array;
  /** Replaces the record as a whole, durably. */
  save(record: Uint8Array): Promise<void>;
  /** Forgets all marks, durably. */
  clear(): Promise<void>;
  /** Durable once it resolves. */
  append(marks: Uint8Array): Promise<void>;
  /** Forgets the attempt. */
  done(): Promise<void>;
  /** Lets others have it. */
  close(): Promise<void>;
}

/** For one process: a put that fails in it goes on in it. */
export function createMemoryAttemptStore(): AttemptStore {
  const records = new Map<string, { record: Uint8Array | undefined; marks: Uint8Array }>();
  const taken = new Set<string>();
  return {
    async open(id) {
      if (taken.has(id)) return undefined;
      taken.add(id);
      const known = records.get(id) ?? { record: undefined, marks: new Uint8Array() };
      records.set(id, known);
      const release = (): void => {
        taken.delete(id);
        if (known.record === undefined) records.delete(id);
      };
      return {
        record: known.record,
        marks: known.marks,
        save: async (record) => {
          known.record = record;
        },
        clear: async () => {
          known.marks = new Uint8Array();
        },
        append: async (marks) => {
          const all = new Uint8Array(known.marks.length + marks.length);
          all.set(known.marks);
          all.set(marks, known.marks.length);
          known.marks = all;
        },
        done: async () => {
          known.record = undefined;
        },
        close: async () => release(),
      };
    },
  };
}
