/** Where the user's account that pays for reads is kept in the home folder. Apart from what fills it: every read needs this. */
import { join } from "node:path";
import type { AddressBook, PayStore } from "@ppio/core";
import { createFilePayStore } from "@ppio/daemon/pay-store-file";
import type { Home } from "../home.ts";

export function payStoreOf({ payDir }: Pick<Home, "payDir">, { chainId, escrow }: Pick<AddressBook, "chainId" | "escrow">): PayStore {
  return createFilePayStore(join(payDir, `${chainId}-${escrow.toLowerCase()}`));
}
