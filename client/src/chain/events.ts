/** Event scans in pieces that public RPC nodes accept. */
import type { BaseContract, ContractEventName, EventLog } from "ethers";
import type { Chain } from "./chain.ts";

const BLOCKS_PER_QUERY = 9_000;

/** All events of `filter` from the network's first block on, in order. */
export async function queryEvents<C extends BaseContract>(
  chain: Chain,
  contract: C,
  filter: ContractEventName,
  signal?: AbortSignal,
): Promise<EventLog[]> {
  const latest = await chain.read("newest block", () => chain.provider.getBlockNumber(), signal);
  const found: EventLog[] = [];
  for (let from = chain.book.fromBlock; from <= latest; from += BLOCKS_PER_QUERY) {
    const to = Math.min(latest, from + BLOCKS_PER_QUERY - 1);
    const logs = await chain.read("events", () => contract.queryFilter(filter, from, to), signal);
    found.push(...logs.filter((log): log is EventLog => "args" in log));
  }
  return found;
}
