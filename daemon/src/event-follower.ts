/**
 * Follows a contract's events: reads what is new, and the newest blocks again each time, so that a reorg corrects what was read.
 * Nothing needs to be saved; a restart reads from the network's first block.
 */
const BLOCKS_PER_QUERY = 5_000;
/** The first query; the next ones ask for twice as much, or for half after an answer of more events than this: each takes kilobytes. */
const BLOCKS_PER_QUERY_MIN = 200;
const EVENTS_PER_QUERY = 250;
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
  /** Takes what no reorg reaches any more, in order and once; it is not given out by `refresh` then, and not kept. */
  readonly onSolid?: (event: T) => void;
  readonly reorgBlocks?: number;
}

export class EventFollower<T extends FollowedEvent> {
  readonly #options: EventFollowerOptions<T>;
  #events: readonly T[] = [];
  #nextBlock: number;
  /** Events of earlier blocks were given away. */
  #solidBelow = 0;
  #span = BLOCKS_PER_QUERY_MIN;

  constructor(options: EventFollowerOptions<T>) {
    this.#options = options;
    this.#nextBlock = options.fromBlock;
  }

  /** All events so far, oldest first; with `onSolid` the newest only. */
  async refresh(): Promise<readonly T[]> {
    const { fromBlock, latestBlock, query, reorgBlocks = REORG_BLOCKS } = this.#options;
    const latest = await latestBlock();
    const from = Math.max(fromBlock, this.#solidBelow, Math.min(this.#nextBlock, latest + 1) - reorgBlocks);
    let events: readonly T[] = this.#events.filter((event) => event.block < from);
    for (let start = from; start <= latest; start = this.#nextBlock) {
      const end = Math.min(latest, start + this.#span - 1);
      const found = await query(start, end);
      this.#span =
        found.length > EVENTS_PER_QUERY
          ? Math.max(BLOCKS_PER_QUERY_MIN, Math.floor(this.#span / 2))
          : Math.min(BLOCKS_PER_QUERY, this.#span * 2);
      events = [...events, ...found];
      // Kept step by step, so that a long first reading goes on where the node broke off.
      events = this.#giveSolid(events, end + 1 - reorgBlocks);
      this.#events = events;
      this.#nextBlock = end + 1;
    }
    return events;
  }

  /** Events that stay after those of blocks before `from` were given away. */
  #giveSolid(events: readonly T[], from: number): readonly T[] {
    const { onSolid } = this.#options;
    if (onSolid === undefined) return events;
    this.#solidBelow = Math.max(this.#solidBelow, from);
    for (const event of events) if (event.block < this.#solidBelow) onSolid(event);
    return events.filter((event) => event.block >= this.#solidBelow);
  }
}
