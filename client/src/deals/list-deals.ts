/** The deals of an owner, newest last, as the chain lists them. */
import { PpioError } from "@ppio/core";
import { isAddress } from "ethers";
import { DEAL_STATUS, type DealStatus } from "../chain/deal-view.ts";
import { queryEvents } from "../chain/events.ts";
import type { Context } from "../context.ts";
import { mapConcurrent } from "../deps.ts";

export interface DealSummary {
  readonly dealId: string;
  readonly owner: string;
  readonly payer: string;
  readonly start: number;
  readonly end: number;
  readonly k: number;
  readonly n: number;
  readonly status: DealStatus;
  /** Slots not yet closed. */
  readonly openSlots: number;
  /** Taken when the deal opened. */
  readonly escrowWei: bigint;
}

const READS_CONCURRENT = 8;

/**
 * @param owner the client's own address without it
 * @throws USAGE for what is no address
 */
export async function listDeals(context: Context, owner?: string, signal?: AbortSignal): Promise<DealSummary[]> {
  const { chain } = context;
  const { market } = chain;
  const who = owner ?? (await chain.address());
  if (!isAddress(who)) throw new PpioError("USAGE", `"${who}" is no address; it has 0x and 40 hex digits.`);
  const opened = await queryEvents(chain, market, market.filters.DealOpened(undefined, who), signal);
  return mapConcurrent(opened, READS_CONCURRENT, async ({ args }) => {
    const dealId = String(args["dealId"]);
    const deal = await chain.read("deal", () => market.deal(dealId), signal);
    return {
      dealId,
      owner: deal.owner,
      payer: deal.payer,
      start: Number(deal.start),
      end: Number(deal.end),
      k: Number(deal.k),
      n: Number(deal.n),
      status: DEAL_STATUS[Number(deal.status)] ?? "None",
      openSlots: Number(deal.openSlots),
      escrowWei: BigInt(args["escrowWei"]),
    };
  });
}
