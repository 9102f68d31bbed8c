/** Filling a payer's account in the escrow. */
import { createMemoryPayStore } from "@ppio/core";
import { IBandwidthEscrow__factory } from "@ppio/core/interfaces";
import { ensurePayAccount, type PayAccountOptions } from "@ppio/daemon/pay-account";
import { expect } from "chai";
import { Wallet } from "ethers";

const PAYER = Wallet.createRandom().address;
const ABI = IBandwidthEscrow__factory.createInterface();

/** An account that payees draw on; what is deposited into it is noted. */
function openAccount(reserveWei: bigint) {
  const deposits: bigint[] = [];
  const contracts = {
    token: { balanceOf: async () => 1_000n, allowance: async () => 1_000n },
    escrow: {
      interface: ABI,
      accountOf: async () => ({ reserveWei, bondWei: 5n }),
      keyOf: async () => ({ expiry: 0n, capPerPayeeWei: 0n, redeemableUntil: 0n }),
      NO_BUDGET: async () => 99n,
    },
  };
  const options = {
    ...{ contracts, book: { escrow: PAYER, token: PAYER }, payer: PAYER, store: createMemoryPayStore(), nowSeconds: () => 1_000 },
    send: async (id: string, { data }: { readonly data: string }) => {
      if (id.startsWith("pay-deposit/")) deposits.push(BigInt(ABI.decodeFunctionData("deposit", data)[1]));
    },
  };
  return { deposits, options: options as unknown as PayAccountOptions };
}

describe("an account that pays for reads", () => {
  it("is topped up to what is wanted", async () => {
    const { deposits, options } = openAccount(30n);
    await ensurePayAccount(options, { reserveWei: 100n, bondWei: 5n, maxPricePerGibWei: 1n });
    expect(deposits).to.deep.equal([70n]);
  });

  it("gets the amount of a deposit, not more, when payees redeem meanwhile", async () => {
    const { deposits, options } = openAccount(30n);
    const account = { reserveWei: 40n, bondWei: 5n };
    await ensurePayAccount(options, { account, reserveWei: 40n + 10n, bondWei: 5n, maxPricePerGibWei: 1n });
    expect(deposits).to.deep.equal([10n]);
  });
});
