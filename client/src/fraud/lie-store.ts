/** Where proofs of lies are kept until somebody takes them to the chain: what a reader saw once it may never see again. */
import type { LieEvidence } from "@ppio/core";

export interface Lie {
  /** 32 bytes, 0x hex. */
  readonly id: string;
  readonly providerId: number;
  readonly evidence: LieEvidence;
}

export interface LieStore {
  /** Durable once it resolves. Of one id the first one stays. */
  save(lie: Lie): Promise<void>;
  list(): Promise<readonly Lie[]>;
  remove(id: string): Promise<void>;
}

/** For tests and for hosts that accept the loss. */
export function createMemoryLieStore(): LieStore {
  const lies = new Map<string, Lie>();
  return {
    save: async (lie) => {
      if (!lies.has(lie.id)) lies.set(lie.id, lie);
    },
    list: async () => [...lies.values()],
    remove: async (id) => {
      lies.delete(id);
    },
  };
}
