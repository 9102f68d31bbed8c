/** Event scans in pieces that public RPC nodes accept. */
import type { BaseContract, ContractEventName, EventLog, Filter, Log } from "ethers";
import type { Chain } from "./chain.ts";

const BLOCKS_PER_QUERY = 9_000;

/** All events of `filter` from the network's first block on, in order. */
export async function queryEvents<C extends BaseContract>(
  chain: Chain,
  contract: C,
  filter: ContractEventName,
  signal?: AbortSignal,
): Promise<EventLog[]> {
  const logs = await inPieces(chain, (from, to) => contract.queryFilter(filter, from, to), signal);
  return logs.filter((log): log is EventLog => "args" in log);
}

/** The same for logs of several contracts and events at once. */
export function scanLogs(chain: Chain, filter: Pick<Filter, "address" | "topics">, signal?: AbortSignal): Promise<Log[]> {
  return inPieces(chain, (fromBlock, toBlock) => chain.provider.getLogs({ ...filter, fromBlock, toBlock }), signal);
}

async function inPieces<T>(chain: Chain, query: (from: number, to: number) => Promise<T[]>, signal: AbortSignal | undefined): Promise<T[]> {
  const latest = await chain.read("newest block", () => chain.provider.getBlockNumber(), signal);
  const found: T[] = [];
  for (let from = chain.book.fromBlock; from <= latest; from += BLOCKS_PER_QUERY) {
    const to = Math.min(latest, from + BLOCKS_PER_QUERY - 1);
    for (const log of await chain.read("events", () => query(from, to), signal)) found.push(log);
  }
  return found;
}
