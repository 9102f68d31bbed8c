/** Filling a payer's account in the escrow. */
import { createMemoryPayStore, PpioError } from "@ppio/core";
import { IBandwidthEscrow__factory } from "@ppio/core/interfaces";
import { ensurePayAccount, type PayAccountOptions } from "@ppio/daemon/pay-account";
import { expect } from "chai";
import { Wallet } from "ethers";
import { codeOf } from "../support/code-of.ts";

const PAYER = Wallet.createRandom().address;
const ABI = IBandwidthEscrow__factory.createInterface();

/** An account that payees draw on; what is deposited into it is noted. With `isShared`, another command has authorised the key. */
function openAccount(reserveWei: bigint, { refusesKeys = false, isShared = false } = {}) {
  const deposits: bigint[] = [];
  let keyExpiry = 0n;
  const contracts = {
    token: { balanceOf: async () => 1_000n, allowance: async () => 1_000n },
    escrow: {
      interface: ABI,
      accountOf: async () => ({ reserveWei, bondWei: 5n }),
      keyOf: async () => ({ expiry: keyExpiry, capPerPayeeWei: 0n, redeemableUntil: 0n }),
      NO_BUDGET: async () => 99n,
    },
  };
  const options = {
    ...{ contracts, book: { escrow: PAYER, token: PAYER }, payer: PAYER, store: createMemoryPayStore(), nowSeconds: () => 1_000 },
    send: async (id: string, { data }: { readonly data: string }) => {
      if (id.startsWith("pay-deposit/")) deposits.push(BigInt(ABI.decodeFunctionData("deposit", data)[1]));
      if (id.startsWith("pay-key/") && isShared) keyExpiry = BigInt(ABI.decodeFunctionData("authorizeKey", data)[3]);
      if (id.startsWith("pay-key/") && refusesKeys) throw new PpioError("CHAIN_REVERT", "KeyExists");
    },
  };
  return { deposits, options: options as unknown as PayAccountOptions };
}

const TERMS = { reserveWei: 100n, bondWei: 5n, maxPricePerGibWei: 1n };

describe("an account that pays for reads", () => {
  it("is topped up to what is wanted", async () => {
    const { deposits, options } = openAccount(30n);
    await ensurePayAccount(options, TERMS);
    expect(deposits).to.deep.equal([70n]);
  });

  it("gets the amount of a deposit, not more, when payees redeem meanwhile", async () => {
    const { deposits, options } = openAccount(30n);
    const account = { reserveWei: 40n, bondWei: 5n };
    await ensurePayAccount(options, { account, reserveWei: 40n + 10n, bondWei: 5n, maxPricePerGibWei: 1n });
    expect(deposits).to.deep.equal([10n]);
  });

  it("has its key though another command of the payer was faster to authorise it", async () => {
    const { options } = openAccount(100n, { refusesKeys: true, isShared: true });
    const { key } = await ensurePayAccount(options, TERMS);
    expect((await options.store.read())?.key).to.deep.equal(key);
  });

  it("has it as well when the node only knows of the other one's transaction", async () => {
    const { options } = openAccount(100n);
    const data = ABI.encodeErrorResult("KeyExists", [PAYER, PAYER]);
    const send = (id: string): Promise<unknown> => (id.startsWith("pay-key/") ? Promise.reject({ data }) : Promise.resolve());
    expect((await ensurePayAccount({ ...options, send }, TERMS)).payer).to.equal(PAYER);
  });

  it("fails when the chain does not take the key, and nobody has brought it", async () => {
    const { options } = openAccount(100n, { refusesKeys: true });
    expect(await codeOf(ensurePayAccount(options, TERMS))).to.equal("CHAIN_REVERT");
  });
});
