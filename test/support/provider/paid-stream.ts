/** A payer and a desk that takes its vouchers, over a chain that is a few numbers. */
import type { PayPromise, PayRecord } from "@ppio/core";
import { createProviderMetrics, PaymentDesk, Promises, Strikes, VoucherLedger } from "@ppio/provider";
import { getAddress, Wallet } from "ethers";

export const PAYEE = Wallet.createRandom().address;
export const ESCROW = getAddress(`0x${"a2".repeat(20)}`);
export const PAY_DOMAIN = { chainId: 31_337n, escrow: ESCROW };
/** A MiB costs 2^20 wei and a bit: rounding shows. */
export const PRICE_WEI = (1n << 30n) + 1n;
export const SELLER = { providerId: 7, owner: PAYEE };
const FAR = 4_000_000_000;

export function newAccount(): PayRecord {
  const [payer, key] = [Wallet.createRandom(), Wallet.createRandom()];
  return {
    payer: payer.address,
    key: { privateKey: key.privateKey, address: key.address, expiry: FAR },
    maxPricePerGibWei: PRICE_WEI,
    streams: [],
  };
}

/** What the chain says; a test changes it. */
export interface PaidChain {
  promise: PayPromise;
  spendableWei: bigint;
  asked: number;
  isDown: boolean;
}

export function newChain(): PaidChain {
  const promise = { payableWei: 10n ** 18n, capLeftWei: 10n ** 18n, redeemedWei: 0n, bondWei: 10n ** 18n, serveUntil: FAR };
  return { promise, spendableWei: 10n ** 18n, asked: 0, isDown: false };
}

export function fundsOf(chain: PaidChain) {
  return {
    spendableWei: async () => chain.spendableWei,
    promiseOf: async () => {
      chain.asked += 1;
      if (chain.isDown) throw new Error("node away");
      return chain.promise;
    },
  };
}

export async function openDesk(dir: string, chain: PaidChain, now: () => number, pricePerGibWei = PRICE_WEI) {
  const ledger = await VoucherLedger.open(dir);
  const promises = new Promises(fundsOf(chain), now);
  const metrics = createProviderMetrics();
  const desk = new PaymentDesk({
    ...{ pricePerGibWei, payee: PAYEE, domain: PAY_DOMAIN, ledger, promises, strikes: new Strikes(now), metrics, now },
  });
  return { desk, ledger, promises, metrics };
}
