/** Pays for the reads of a client out of the user's reserve in the escrow. */
import { createMemoryPayStore, createPayer, createPayFunds, type Payer, type PayStore } from "@ppio/core";
import { IBandwidthEscrow__factory } from "@ppio/core/interfaces";
import type { Chain } from "../chain/chain.ts";
import type { Clock } from "../deps.ts";

export interface PayOptions {
  /** Where the session key is, and up to where it has signed. */
  readonly store: PayStore;
  /** What a user does who has no reserve, or too little, as the end of a sentence. */
  readonly hint?: string;
}

const HINT = "deposit a reserve and a bond into the escrow, and authorise a session key";

/** Without a store nothing is paid: providers that want money are left out. */
export function createClientPayer(chain: Chain, clock: Clock, options: PayOptions = { store: createMemoryPayStore() }): Payer {
  const { book, provider } = chain;
  const funds = createPayFunds(IBandwidthEscrow__factory.connect(book.escrow, provider));
  return createPayer({
    domain: { chainId: BigInt(book.chainId), escrow: book.escrow },
    store: options.store,
    funds: {
      spendableWei: (...account) => chain.read("reserve for reads", () => funds.spendableWei(...account)),
      promiseOf: (...stream) => chain.read("account for reads", () => funds.promiseOf(...stream)),
    },
    nowMs: () => clock.nowMs(),
    hint: options.hint ?? HINT,
  });
}
