/** The whole network's money, added up from the chain alone with plain ethers calls: M1 and R1 to the wei. */
import type { Devnet } from "./devnet.ts";

const GWEI = 1_000_000_000n;
const CLOSED = 3n;

export interface Books {
  readonly marketHolds: bigint;
  readonly marketOwes: bigint;
  readonly registryHolds: bigint;
  readonly registryOwes: bigint;
  readonly slashedWei: bigint;
}

export async function readBooks({ contracts, book, rpc }: Devnet): Promise<Books> {
  const { market, registry, proofs, token } = contracts;
  // Not the newest block: a call that names it may meet the state of the next one, when that is mined just then.
  const blockTag = (await rpc.getBlockNumber()) - 1;
  const at = { blockTag };
  let marketOwes = (await market.repairFundWei(at)) + (await market.unclaimedWei(at));
  const accounts = new Set<string>();
  for (const { args } of await market.queryFilter(market.filters.Credited(), book.fromBlock, blockTag)) accounts.add(args.account);
  let registryOwes = 0n;
  const count = Number(await registry.providerCount(at));
  for (let id = 1; id <= count; id += 1) {
    const { owner, collateralWei } = await registry.getProvider(id, at);
    accounts.add(owner);
    registryOwes += collateralWei;
  }
  for (const { args } of await market.queryFilter(market.filters.DealOpened(), book.fromBlock, blockTag)) {
    accounts.add(args.payer);
    const { end } = await market.deal(args.dealId, at);
    for (const [slotIndex, slot] of (await market.slots(args.dealId, at)).entries()) {
      if (slot.status !== CLOSED && end > slot.settledTo) marketOwes += slot.payGwei * GWEI * (end - slot.settledTo);
      for (let id = 1; id <= count; id += 1) {
        const past = await market.pastTenure(args.dealId, slotIndex, id, at);
        if (!past.isSettled && past.untilPeriod > past.settledTo) marketOwes += past.payGwei * GWEI * (past.untilPeriod - past.settledTo);
      }
    }
  }
  for (const account of accounts) marketOwes += await market.creditOf(account, at);
  const missed = await proofs.queryFilter(proofs.filters.PeriodMissed(), book.fromBlock, blockTag);
  return {
    marketHolds: await token.balanceOf(book.market, at),
    marketOwes,
    registryHolds: await token.balanceOf(book.registry, at),
    registryOwes,
    slashedWei: missed.reduce((sum, { args }) => sum + args.slashedWei, 0n),
  };
}

/** The repair contract's money: bonds of reservations that are open, and what it owes to those that had one (N2). */
export async function readRepairBooks({ contracts, book, rpc }: Devnet): Promise<{ readonly holds: bigint; readonly owes: bigint }> {
  const { repair, token } = contracts;
  const blockTag = (await rpc.getBlockNumber()) - 1;
  const at = { blockTag };
  const reserved = await repair.queryFilter(repair.filters.SlotReserved(), book.fromBlock, blockTag);
  const places = new Map(reserved.map(({ args }) => [`${args.dealId}/${args.slotIndex}`, args] as const));
  let owes = 0n;
  for (const { dealId, slotIndex } of places.values()) owes += (await repair.reservationOf(dealId, slotIndex, at)).bondWei;
  for (const repairer of new Set(reserved.map(({ args }) => args.repairer))) owes += await repair.creditOf(repairer, at);
  return { holds: await token.balanceOf(book.repair, at), owes };
}

/** The bandwidth escrow's money: E1, over all accounts that its events name. */
export async function readEscrowBooks({ contracts, book, rpc }: Devnet): Promise<{ readonly holds: bigint; readonly owes: bigint }> {
  const { escrow, token } = contracts;
  const blockTag = (await rpc.getBlockNumber()) - 1;
  const at = { blockTag };
  const deposits = await escrow.queryFilter(escrow.filters.Deposited(), book.fromBlock, blockTag);
  const redeemed = await escrow.queryFilter(escrow.filters.VouchersRedeemed(), book.fromBlock, blockTag);
  let owes = await escrow.burnableWei(at);
  for (const payer of new Set(deposits.map(({ args }) => args.payer))) {
    const { reserveWei, bondWei, restitutionWei } = await escrow.accountOf(payer, at);
    owes += reserveWei + bondWei + restitutionWei;
  }
  for (const payee of new Set(redeemed.map(({ args }) => args.payee))) owes += await escrow.creditOf(payee, at);
  return { holds: await token.balanceOf(book.escrow, at), owes };
}
