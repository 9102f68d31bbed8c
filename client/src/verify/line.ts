/** A provider's number line as it was at the close of any period, from the chain's events. */

import type { Chain } from "../chain/chain.ts";
import { queryEvents } from "../chain/events.ts";
import { mapConcurrent } from "../deps.ts";

export interface Line {
  /** Length in gwei at the close of `period`. */
  lengthAt(period: number): bigint;
  /** Interval that a slot took in its tenure from `fromPeriod` on. */
  intervalOf(dealId: string, slotIndex: number, fromPeriod: number): { readonly startGwei: bigint; readonly endGwei: bigint } | undefined;
}

const READS_CONCURRENT = 8;

export async function loadLine(chain: Chain, providerId: number, signal?: AbortSignal): Promise<Line> {
  const { market, proofs, provider } = chain;
  const events = await queryEvents(chain, market, market.filters.SlotFilled(undefined, undefined, providerId), signal);
  const blocks = [...new Set(events.map((event) => event.blockNumber))];
  const periods = new Map(
    await mapConcurrent(blocks, READS_CONCURRENT, async (number) => {
      const block = await chain.read("block", () => provider.getBlock(number), signal);
      const period = block === null ? 0n : await chain.read("period", () => proofs.periodOf(block.timestamp), signal);
      return [number, Number(period)] as const;
    }),
  );
  const intervals = events.map((event) => {
    const startGwei = BigInt(event.args["startGwei"]);
    return {
      key: `${event.args["dealId"]}/${event.args["slotIndex"]}/${event.args["fromPeriod"]}`,
      addedIn: periods.get(event.blockNumber) ?? 0,
      startGwei,
      endGwei: startGwei + BigInt(event.args["payGwei"]),
    };
  });
  return {
    lengthAt: (period) =>
      intervals.reduce((longest, { addedIn, endGwei }) => (addedIn <= period && endGwei > longest ? endGwei : longest), 0n),
    intervalOf: (dealId, slotIndex, fromPeriod) => intervals.find(({ key }) => key === `${dealId}/${slotIndex}/${fromPeriod}`),
  };
}
