/** A provider's number line as it was at the close of any period, replayed from the chain's events. */
import type { EventLog } from "ethers";
import type { Chain } from "../chain/chain.ts";
import { queryEvents } from "../chain/events.ts";
import { mapConcurrent } from "../deps.ts";

export interface Interval {
  readonly startGwei: bigint;
  readonly endGwei: bigint;
}

export interface LineAt {
  readonly lengthGwei: bigint;
  /** Draws that fall in here name no slot. Empty but during a compaction. */
  readonly gap: Interval;
  intervalOf(dealId: string, slotIndex: number): Interval | undefined;
}

export interface Line {
  atCloseOf(period: number): LineAt;
}

const READS_CONCURRENT = 8;
const EMPTY: Interval = { startGwei: 0n, endGwei: 0n };

export async function loadLine(chain: Chain, providerId: number, signal?: AbortSignal): Promise<Line> {
  const { market, proofs } = chain;
  const offLine = await chain.read("end of all lines", () => proofs.OFF_LINE_GWEI(), signal);
  const events = (
    await Promise.all([
      queryEvents(chain, market, market.filters.SlotFilled(undefined, undefined, providerId), signal),
      queryEvents(chain, proofs, proofs.filters.IntervalMoved(providerId), signal),
      queryEvents(chain, proofs, proofs.filters.LineCompacted(providerId), signal),
    ])
  )
    .flat()
    .sort((a, b) => a.blockNumber - b.blockNumber || a.index - b.index);
  const periods = await periodsOf(chain, events, signal);
  return {
    atCloseOf: (period) => {
      const replay = new Replay(offLine);
      for (const event of events) if ((periods.get(event.blockNumber) ?? 0) <= period) replay.apply(event);
      return replay;
    },
  };
}

/** The period of every block that has an event. */
async function periodsOf(chain: Chain, events: readonly EventLog[], signal: AbortSignal | undefined): Promise<ReadonlyMap<number, number>> {
  const blocks = [...new Set(events.map((event) => event.blockNumber))];
  const read = async (number: number): Promise<readonly [number, number]> => {
    const block = await chain.read("block", () => chain.provider.getBlock(number), signal);
    const period = block === null ? 0n : await chain.read("period", () => chain.proofs.periodOf(block.timestamp), signal);
    return [number, Number(period)];
  };
  return new Map(await mapConcurrent(blocks, READS_CONCURRENT, read));
}

class Replay implements LineAt {
  readonly #offLine: bigint;
  readonly #intervals = new Map<string, Interval>();
  lengthGwei = 0n;
  gap = EMPTY;

  constructor(offLine: bigint) {
    this.#offLine = offLine;
  }

  intervalOf(dealId: string, slotIndex: number): Interval | undefined {
    return this.#intervals.get(`${dealId}/${slotIndex}`);
  }

  apply({ eventName, args }: EventLog): void {
    if (eventName === "LineCompacted") {
      this.lengthGwei = BigInt(args["lengthGwei"]);
      this.gap = { startGwei: BigInt(args["gapStartGwei"]), endGwei: BigInt(args["gapEndGwei"]) };
      return;
    }
    const key = `${args["dealId"]}/${args["slotIndex"]}`;
    const startGwei = BigInt(args["startGwei"]);
    if (eventName === "SlotFilled") {
      this.lengthGwei = startGwei + BigInt(args["payGwei"]);
      this.#intervals.set(key, { startGwei, endGwei: this.lengthGwei });
      return;
    }
    const before = this.#intervals.get(key);
    if (before === undefined || startGwei === this.#offLine) this.#intervals.delete(key);
    else this.#intervals.set(key, { startGwei, endGwei: startGwei + before.endGwei - before.startGwei });
  }
}
