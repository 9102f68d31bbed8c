/** What a deal's opening transaction says beyond its event: the salt, which the owner signs uploads and refills with. */
import { dealIdOf, PpioError } from "@ppio/core";
import type { Chain } from "../chain/chain.ts";
import { queryEvents } from "../chain/events.ts";

interface OpenedTerms {
  readonly owner: string;
  readonly dealSalt: string;
}

/** The deal's salt, read from calldata and checked against the id. @throws NOT_FOUND */
export async function findDealSalt(chain: Chain, dealId: string, signal?: AbortSignal): Promise<string> {
  const { market, provider } = chain;
  const [opened] = await queryEvents(chain, market, market.filters.DealOpened(dealId), signal);
  const transaction =
    opened === undefined ? null : await chain.read("opening transaction", () => provider.getTransaction(opened.transactionHash), signal);
  const call = transaction === null ? null : market.interface.parseTransaction(transaction);
  const first: unknown = call?.args[0];
  const candidates = (call?.name === "openDealWithSig" ? [first] : first) as Iterable<OpenedTerms> | undefined;
  for (const { owner, dealSalt } of candidates ?? []) if (dealIdOf(chain.domain, owner, dealSalt) === dealId) return dealSalt;
  throw new PpioError(
    "NOT_FOUND",
    `The salt of deal ${dealId} is not in its opening transaction; repair it from the object that it holds.`,
    {
      details: { dealId },
    },
  );
}
