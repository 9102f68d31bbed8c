/** Holds the market's token balance against everything it owes, to the wei. */
import type { AddressBook } from "@ppio/core";
import type { ChainContracts } from "@ppio/daemon";

export interface Audit {
  readonly balanceWei: bigint;
  readonly escrowWei: bigint;
  readonly creditsWei: bigint;
  readonly repairFundWei: bigint;
  readonly unclaimedWei: bigint;
  /** What the balance is above all that is owed: 0 when the books are right. */
  readonly differenceWei: bigint;
}

const GWEI = 1_000_000_000n;
/** Slot state of IStorageMarket. */
const CLOSED = 3n;

export async function auditMarket(contracts: ChainContracts, book: AddressBook): Promise<Audit> {
  const { market, token } = contracts;
  // One block for all of it, or the sums belong to different moments.
  const blockTag = await market.runner?.provider?.getBlockNumber();
  const at = blockTag === undefined ? {} : { blockTag };
  const opened = await market.queryFilter(market.filters.DealOpened(), book.fromBlock, blockTag);
  const filled = await market.queryFilter(market.filters.SlotFilled(), book.fromBlock, blockTag);
  const credited = await market.queryFilter(market.filters.Credited(), book.fromBlock, blockTag);
  // Settling credits payers and providers' owners without an event of its own.
  const accounts = new Set([...credited.map(({ args }) => args.account), ...opened.map(({ args }) => args.payer)]);
  for (const providerId of new Set(filled.map(({ args }) => args.providerId))) {
    accounts.add(await contracts.registry.ownerOf(providerId, at));
  }
  let creditsWei = 0n;
  for (const account of accounts) creditsWei += await market.creditOf(account, at);
  let escrowWei = 0n;
  for (const { args } of opened) {
    const { end } = await market.deal(args.dealId, at);
    for (const slot of await market.slots(args.dealId, at)) {
      if (slot.status !== CLOSED && end > slot.settledTo) escrowWei += slot.payGwei * GWEI * (end - slot.settledTo);
    }
  }
  for (const { args } of filled) {
    const past = await market.pastTenure(args.dealId, args.slotIndex, args.providerId, at);
    if (!past.isSettled && past.untilPeriod > past.settledTo) escrowWei += past.payGwei * GWEI * (past.untilPeriod - past.settledTo);
  }
  const [balanceWei, repairFundWei, unclaimedWei] = await Promise.all([
    token.balanceOf(book.market, at),
    market.repairFundWei(at),
    market.unclaimedWei(at),
  ]);
  const differenceWei = balanceWei - escrowWei - creditsWei - repairFundWei - unclaimedWei;
  return { balanceWei, escrowWei, creditsWei, repairFundWei, unclaimedWei, differenceWei };
}
