/** A deal as a repairer sees it: what its slots must hash to, who holds them, and which nobody holds. */
import { type DealHeader, dealIdOf, decodeDealHeader, leafCountOf, PpioError, type SigningDomain } from "@ppio/core";
import type { ChainConnection } from "@ppio/daemon";
import { getBytes } from "ethers";
import { askChain } from "../ask-chain.ts";

const GWEI = 1_000_000_000n;
/** Deal and slot states of IStorageMarket. */
const NONE = 0n;
const ACTIVE = 1n;
const HELD: ReadonlySet<bigint> = new Set([1n, 4n]);
const VACANT = 2n;
const RESERVED = 5n;

export interface DealSlot {
  readonly slotIndex: number;
  readonly root: Uint8Array;
  /** The holder, or the last one. */
  readonly providerId: number;
  readonly payPerPeriodWei: bigint;
  readonly collateralWei: bigint;
  /** Of a slot that nobody holds, the period since which; one of an evicted provider may not be settled yet. */
  readonly vacantFrom: number;
  readonly state: "held" | "vacant" | "reserved" | "closed";
}

export interface RepairableDeal {
  readonly dealId: string;
  readonly owner: string;
  readonly payer: string;
  readonly start: number;
  readonly end: number;
  readonly renewUntil: number;
  readonly isActive: boolean;
  /** What the chain counts of the deal and its slots is what its header says: others cannot be rebuilt. */
  readonly isSound: boolean;
  readonly header: DealHeader;
  readonly slots: readonly DealSlot[];
}

/** @throws CHAIN_UNREACHABLE, NOT_FOUND, BAD_FORMAT when the deal's header is none: anybody may open such a deal */
export async function loadRepairable({ market }: ChainConnection, dealId: string): Promise<RepairableDeal> {
  const [deal, slots] = await askChain(() => Promise.all([market.deal(dealId), market.slots(dealId)]));
  // A reorganisation took it back; it may come again.
  if (deal.status === NONE) throw new PpioError("NOT_FOUND", `The chain does not know deal ${dealId} now.`, { retry: "later" });
  const stateOf = (status: bigint): DealSlot["state"] =>
    HELD.has(status) ? "held" : status === VACANT ? "vacant" : status === RESERVED ? "reserved" : "closed";
  const header = decodeDealHeader(getBytes(deal.header));
  const { k, n } = header;
  return {
    dealId,
    owner: deal.owner,
    payer: deal.payer,
    start: Number(deal.start),
    end: Number(deal.end),
    renewUntil: Number(deal.renewUntil),
    isActive: deal.status === ACTIVE,
    isSound: Number(deal.k) === k && slots.length === n && slots.every((slot) => Number(slot.leafCount) === leafCountOf(header)),
    header,
    slots: slots.map((slot, slotIndex) => ({
      slotIndex,
      root: getBytes(slot.root),
      providerId: Number(slot.providerId),
      payPerPeriodWei: slot.payGwei * GWEI,
      collateralWei: slot.collateralGwei * GWEI,
      vacantFrom: Number(slot.liveUntil < deal.end ? max(slot.fromPeriod, slot.liveUntil) : slot.fromPeriod),
      state: stateOf(slot.status),
    })),
  };
}

/** The salt that offers of the deal sign, from the event of its opening, checked against the id. @throws NOT_FOUND, CHAIN_UNREACHABLE */
export async function findDealSalt(chain: ChainConnection, domain: SigningDomain, deal: RepairableDeal): Promise<string> {
  const { market, proofs, book } = chain;
  const [open, close] = await askChain(() => proofs.periodBounds(deal.start));
  // By time, so that a long chain need not be read.
  const [from = book.fromBlock, to] = await Promise.all(
    [open, close].map((seconds) => firstBlockSince(chain, Number(seconds), book.fromBlock)),
  );
  const events = await askChain(() => market.queryFilter(market.filters.DealOpened(deal.dealId), from, to));
  for (const { args } of events) if (dealIdOf(domain, deal.owner, args.dealSalt) === deal.dealId) return args.dealSalt;
  throw new PpioError("NOT_FOUND", `The RPC node does not give the opening of deal ${deal.dealId}; use another RPC address.`);
}

/** The newest block when all are older. */
async function firstBlockSince({ rpc }: ChainConnection, seconds: number, fromBlock: number): Promise<number> {
  let low = fromBlock;
  let high = await askChain(() => rpc.getBlockNumber());
  while (low < high) {
    const middle = (low + high) >> 1;
    const block = await askChain(() => rpc.getBlock(middle));
    if (block !== null && block.timestamp < seconds) low = middle + 1;
    else high = middle;
  }
  return high;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
