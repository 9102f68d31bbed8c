/** Two Helia nodes: one adds, the other one reads over Bitswap and starts empty every time. */
import { Worker } from "./worker.ts";

const TRIES_MAX = 3;

export interface Timed {
  readonly ms: number;
}

export interface HeliaPair {
  readonly pids: readonly number[];
  /** Adds the file to an empty node. */
  add(file: string): Promise<Timed>;
  /** Reads what was added last, by an empty node. */
  cat(): Promise<Timed & { readonly length: number }>;
  stop(): Promise<void>;
}

export async function startHelia(): Promise<HeliaPair> {
  const [adder, reader] = await Promise.all([Worker.start("peers/helia.mjs"), Worker.start("peers/helia.mjs")]);
  let address: unknown;
  let cid: unknown;
  return {
    pids: [adder.pid, reader.pid],
    async add(file) {
      ({ address } = await adder.ask("fresh"));
      const added = await adder.ask<Timed & { readonly cid: string }>("add", { file });
      cid = added.cid;
      return added;
    },
    async cat() {
      for (let attempt = 1; ; attempt += 1) {
        await reader.ask("fresh");
        await reader.ask("dial", { address });
        try {
          return await reader.ask("cat", { cid });
        } catch (error) {
          // On a busy machine Bitswap drops a message now and then and waits for its blocks for ever.
          if (attempt === TRIES_MAX) throw error;
          console.log("Helia's cat stood still and was begun again; that run does not count.");
        }
      }
    },
    stop: async () => void (await Promise.all([adder.stop(), reader.stop()])),
  };
}
