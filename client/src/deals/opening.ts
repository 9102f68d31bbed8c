/** What a deal's opening event says beyond the contract's state: the salt, which the owner signs uploads and refills with. */
import { dealIdOf, PpioError } from "@ppio/core";
import type { Chain } from "../chain/chain.ts";
import { queryEvents } from "../chain/events.ts";

/** The deal's salt, checked against the id. @throws NOT_FOUND */
export async function findDealSalt(chain: Chain, dealId: string, signal?: AbortSignal): Promise<string> {
  const { market } = chain;
  const [opened] = await queryEvents(chain, market, market.filters.DealOpened(dealId), signal);
  const dealSalt: unknown = opened?.args["dealSalt"];
  const owner: unknown = opened?.args["owner"];
  if (typeof dealSalt === "string" && typeof owner === "string" && dealIdOf(chain.domain, owner, dealSalt) === dealId) return dealSalt;
  throw new PpioError("NOT_FOUND", `The RPC node does not give the opening of deal ${dealId}; use another RPC address.`, {
    details: { dealId },
  });
}
