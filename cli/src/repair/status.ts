/** What nobody holds on the network, and who is about to mend it: from the chain alone. */
import type { ChainContracts } from "@ppio/daemon";

/** Deal and slot states of IStorageMarket. */
const ACTIVE = 1n;
const HELD: ReadonlySet<bigint> = new Set([1n, 4n]);
const VACANT = 2n;
const RESERVED = 5n;
const DEALS_AT_ONCE = 8;
const BLOCKS_PER_QUERY = 9_000;

export interface VacantSlot {
  readonly dealId: string;
  readonly slotIndex: number;
  /** Slots of the deal that are held, and how many are needed and meant to be. */
  readonly held: number;
  readonly k: number;
  readonly n: number;
  readonly lastProviderId: number;
  /** The period since which nobody holds it, once that is settled. */
  readonly vacantFrom: number;
  /** Who repairs it; empty while nobody has reserved it. */
  readonly repairer: string;
  /** Unix seconds at which the reservation ends; 0 while there is none. */
  readonly reservedUntil: number;
}

export interface RepairStatus {
  readonly vacant: readonly VacantSlot[];
  /** What providers have repaired so far. */
  readonly repairedSlots: number;
  readonly premiumsWei: bigint;
  readonly repairFundWei: bigint;
}

export async function readRepairStatus(contracts: ChainContracts, fromBlock: number, latestBlock: number): Promise<RepairStatus> {
  const { market, registry, repair } = contracts;
  const vacated = await inPieces(fromBlock, latestBlock, (from, to) => market.queryFilter(market.filters.SlotVacated(), from, to));
  const evicted = await inPieces(fromBlock, latestBlock, (from, to) => registry.queryFilter(registry.filters.ProviderEvicted(), from, to));
  const repaired = await inPieces(fromBlock, latestBlock, (from, to) => repair.queryFilter(repair.filters.SlotRepaired(), from, to));
  const dealIds = new Set(vacated.map(({ args }) => args.dealId));
  for (const { args } of evicted) {
    const filter = market.filters.SlotFilled(undefined, undefined, args.providerId);
    for (const filled of await inPieces(fromBlock, latestBlock, (from, to) => market.queryFilter(filter, from, to))) {
      dealIds.add(filled.args.dealId);
    }
  }
  const vacant: VacantSlot[] = [];
  const ids = [...dealIds];
  for (let at = 0; at < ids.length; at += DEALS_AT_ONCE) {
    const found = await Promise.all(ids.slice(at, at + DEALS_AT_ONCE).map((dealId) => vacantOf(contracts, dealId)));
    vacant.push(...found.flat());
  }
  return {
    vacant,
    repairedSlots: repaired.length,
    premiumsWei: repaired.reduce((sum, { args }) => sum + args.premiumWei, 0n),
    repairFundWei: await market.repairFundWei(),
  };
}

async function vacantOf({ market, repair }: ChainContracts, dealId: string): Promise<VacantSlot[]> {
  const deal = await market.deal(dealId);
  if (deal.status !== ACTIVE) return [];
  const slots = await market.slots(dealId);
  const held = slots.filter(({ status }) => HELD.has(status)).length;
  const vacant: VacantSlot[] = [];
  for (const [slotIndex, slot] of slots.entries()) {
    if (slot.status !== VACANT && slot.status !== RESERVED) continue;
    const reservation = slot.status === RESERVED ? await repair.reservationOf(dealId, slotIndex) : undefined;
    vacant.push({
      dealId,
      slotIndex,
      held,
      k: Number(deal.k),
      n: Number(deal.n),
      lastProviderId: Number(slot.providerId),
      vacantFrom: Number(slot.fromPeriod),
      repairer: reservation?.repairer ?? "",
      reservedUntil: Number(reservation?.until ?? 0n),
    });
  }
  return vacant;
}

async function inPieces<T>(
  fromBlock: number,
  latestBlock: number,
  query: (from: number, to: number) => Promise<readonly T[]>,
): Promise<T[]> {
  const found: T[] = [];
  for (let from = fromBlock; from <= latestBlock; from += BLOCKS_PER_QUERY) {
    found.push(...(await query(from, Math.min(latestBlock, from + BLOCKS_PER_QUERY - 1))));
  }
  return found;
}
