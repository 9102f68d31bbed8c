/**
 * Follows a contract's events: reads what is new, and the newest blocks again each time, so that a reorg corrects what was read.
 * Nothing needs to be saved; a restart reads from the network's first block.
 */
const BLOCKS_PER_QUERY = 5_000;
/** Deeper reorgs than this do not happen on the chains we run on. */
const REORG_BLOCKS = 64;

export interface FollowedEvent {
  readonly block: number;
}

export interface EventFollowerOptions<T extends FollowedEvent> {
  readonly fromBlock: number;
  readonly latestBlock: () => Promise<number>;
  /** Events of the blocks [from, to], in order. */
  readonly query: (from: number, to: number) => Promise<readonly T[]>;
}

export class EventFollower<T extends FollowedEvent> {
  readonly #options: EventFollowerOptions<T>;
  #events: readonly T[] = [];
  #nextBlock: number;

  constructor(options: EventFollowerOptions<T>) {
    this.#options = options;
    this.#nextBlock = options.fromBlock;
  }

  /** All events so far, oldest first. */
  async refresh(): Promise<readonly T[]> {
    const { fromBlock, latestBlock, query } = this.#options;
    const latest = await latestBlock();
    const from = Math.max(fromBlock, Math.min(this.#nextBlock, latest + 1) - REORG_BLOCKS);
    let events: readonly T[] = this.#events.filter((event) => event.block < from);
    for (let start = from; start <= latest; start += BLOCKS_PER_QUERY) {
      const end = Math.min(latest, start + BLOCKS_PER_QUERY - 1);
      events = [...events, ...(await query(start, end))];
      // Kept step by step, so that a long first reading goes on where the node broke off.
      this.#events = events;
      this.#nextBlock = end + 1;
    }
    return events;
  }
}
