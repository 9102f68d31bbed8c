/** Periods that are marked void on the chain, followed from its events. */
import { type ChainConnection, EventFollower } from "@ppio/daemon";

interface VoidEvent {
  readonly block: number;
  readonly period: number;
}

export class VoidTable {
  readonly #follower: EventFollower<VoidEvent>;
  #marked: ReadonlySet<number> = new Set();

  constructor({ proofs, rpc, book }: ChainConnection) {
    const topics = [proofs.interface.getEvent("PeriodVoided").topicHash];
    this.#follower = new EventFollower({
      fromBlock: book.fromBlock,
      latestBlock: () => rpc.getBlockNumber(),
      query: async (fromBlock, toBlock) => {
        const logs = await rpc.getLogs({ address: book.proofs, topics, fromBlock, toBlock });
        return logs.map((log) => ({ block: log.blockNumber, period: Number(proofs.interface.parseLog(log)?.args["period"] ?? 0) }));
      },
    });
  }

  async refresh(): Promise<void> {
    this.#marked = new Set((await this.#follower.refresh()).map(({ period }) => period));
  }

  isMarked(period: number): boolean {
    return this.#marked.has(period);
  }
}
