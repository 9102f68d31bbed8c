/** One transaction opens one or many prepared deals; afterwards the events must say what was agreed. */
import { encodeDealHeader, PpioError } from "@ppio/core";
import type { IStorageMarket } from "@ppio/core/interfaces";
import { formatUnits, hexlify, type TransactionReceipt } from "ethers";
import type { Chain } from "../chain/chain.ts";
import type { Context } from "../context.ts";
import { escrowWeiOf, type PreparedDeal, sourceOf } from "./store-deal.ts";

const PERMIT_SECONDS = 3600;

/** @throws NO_FUNDS naming what is there and what is needed */
export async function requireFunds(context: Context, neededWei: bigint, signal?: AbortSignal): Promise<void> {
  const { chain } = context;
  const account = await chain.address();
  const [balanceWei, coinWei] = await Promise.all([
    chain.read("token balance", () => chain.token.balanceOf(account), signal),
    chain.read("balance", () => chain.provider.getBalance(account), signal),
  ]);
  if (balanceWei < neededWei) {
    throw new PpioError(
      "NO_FUNDS",
      `The deal takes ${formatUnits(neededWei, 18)} tokens of escrow and ${account} holds ${formatUnits(balanceWei, 18)}; add tokens and repeat.`,
      { details: { account, balanceWei: balanceWei.toString(), neededWei: neededWei.toString() } },
    );
  }
  if (coinWei === 0n) {
    throw new PpioError("NO_FUNDS", `${account} has none of the chain's own coin to pay for gas; add some and repeat.`, {
      details: { account, coinWei: "0" },
    });
  }
}

/** Whether the market knows the deal. */
export async function isOpened(chain: Chain, dealId: string, signal?: AbortSignal): Promise<boolean> {
  const deal = await chain.read("deal", () => chain.market.deal(dealId), signal);
  return deal.status !== 0n;
}

/** Opens them, and keeps what reading them takes. */
export async function openDeals(context: Context, deals: readonly PreparedDeal[], signal?: AbortSignal): Promise<void> {
  const { chain, clock, dealBook } = context;
  const escrowWei = deals.reduce((sum, deal) => sum + escrowWeiOf(deal), 0n);
  await requireFunds(context, escrowWei, signal);
  const terms = deals.map(dealTerms);
  const account = await chain.address();
  // Meanwhile; of a deal that is refused it says nothing that anybody looks for.
  const kept = Promise.all(deals.map((deal) => dealBook.keep(sourceOf(deal))));
  const receipt = await chain.send({
    what: "opening the deal",
    submit: async () => {
      const allowanceWei = await chain.read("allowance", () => chain.token.allowance(account, chain.book.market), signal);
      if (allowanceWei >= escrowWei) return chain.market.openDeals(terms);
      const deadline = Math.floor(clock.nowMs() / 1000) + PERMIT_SECONDS;
      const permit = await chain.token.signPermit(chain.signer(), chain.book.market, escrowWei, deadline);
      return chain.market.openDealsWithPermit(terms, permit);
    },
    // A permit counts once: another process of this wallet has used its number, and what it allowed is spent.
    isOvertaken: ({ details }) => details["contractError"] === "ERC20InsufficientAllowance",
    isDone: async () => (await Promise.all(deals.map((deal) => isOpened(chain, deal.dealId)))).every((opened) => opened),
    ...(signal === undefined ? {} : { signal }),
  });
  await kept;
  for (const deal of deals) {
    if (receipt === undefined) await checkState(chain, deal, signal);
    else checkReceipt(chain, receipt, deal);
  }
}

function dealTerms({ terms, offers }: PreparedDeal): IStorageMarket.DealTermsStruct {
  const { owner, payer, dealSalt, header, startBy, periods, renewUntil } = terms;
  return {
    owner,
    payer,
    dealSalt,
    k: header.k,
    header: hexlify(encodeDealHeader(header)),
    startBy,
    periods,
    renewUntil,
    offers: [...offers],
  };
}

/** The receipt's events against the offers; a node that shows others is not to be trusted. */
function checkReceipt(chain: Chain, receipt: TransactionReceipt, deal: PreparedDeal): void {
  const parsed = receipt.logs
    .filter((log) => log.address.toLowerCase() === chain.book.market.toLowerCase())
    .map((log) => chain.market.interface.parseLog(log));
  const opened = parsed.find((event) => event?.name === "DealOpened" && event.args["dealId"] === deal.dealId);
  if (opened?.args["escrowWei"] !== escrowWeiOf(deal)) throw mismatch(deal);
  for (const [slotIndex, offer] of deal.offers.entries()) {
    const filled = parsed.find(
      (event) => event?.name === "SlotFilled" && event.args["dealId"] === deal.dealId && Number(event.args["slotIndex"]) === slotIndex,
    );
    const same = filled?.args["root"] === offer.root && Number(filled?.args["providerId"]) === offer.providerId;
    if (!same) throw mismatch(deal);
  }
}

async function checkState(chain: Chain, deal: PreparedDeal, signal: AbortSignal | undefined): Promise<void> {
  const slots = await chain.read("slots of the deal", () => chain.market.slots(deal.dealId), signal);
  const same = deal.offers.every((offer, at) => slots[at]?.root === offer.root && Number(slots[at]?.providerId) === offer.providerId);
  if (!same) throw mismatch(deal);
}

function mismatch(deal: PreparedDeal): PpioError {
  return new PpioError("CORRUPT", `The chain shows deal ${deal.dealId} otherwise than it was agreed; check the RPC address.`, {
    details: { dealId: deal.dealId },
  });
}
