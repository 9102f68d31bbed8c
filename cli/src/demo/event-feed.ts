/** The chain's events about proofs and penalties, as they happen. */
import type { AddressBook } from "@ppio/core";
import type { ChainContracts } from "@ppio/daemon";
import type { Interface, JsonRpcProvider, LogDescription } from "ethers";

export interface FeedEvent {
  readonly block: number;
  readonly event: LogDescription;
}

export interface EventFeed {
  /** What happened since the last call. */
  next(): Promise<readonly FeedEvent[]>;
}

const TIERS = ["warning", "proportional slash", "all collateral slashed"] as const;

export function createEventFeed(rpc: JsonRpcProvider, book: AddressBook, contracts: ChainContracts, fromBlock: number): EventFeed {
  const interfaces = new Map<string, Interface>([
    [book.proofs.toLowerCase(), contracts.proofs.interface],
    [book.registry.toLowerCase(), contracts.registry.interface],
    [book.market.toLowerCase(), contracts.market.interface],
  ]);
  let nextBlock = fromBlock;
  return {
    async next() {
      const latest = await rpc.getBlockNumber();
      if (latest < nextBlock) return [];
      const logs = await rpc.getLogs({ address: [...interfaces.keys()], fromBlock: nextBlock, toBlock: latest });
      nextBlock = latest + 1;
      return logs.flatMap((log) => {
        const event = interfaces.get(log.address.toLowerCase())?.parseLog(log) ?? null;
        return event === null ? [] : [{ block: log.blockNumber, event }];
      });
    },
  };
}

export function tierName(tier: bigint): string {
  return TIERS[Number(tier)] ?? `tier ${tier}`;
}
