/** An operator may sign anything. What the market refuses reverts the transaction of the whole deal, so it must cost the provider its slot before. */
import { checkOffer, dealHeaderHash, leafCountOf, offerMessage, planRecord } from "@ppio/core";
import { expect } from "chai";
import { hexlify } from "ethers";
import { DOMAIN, OPERATOR, PAY_WEI, termsOf } from "../support/client/simulated-provider.ts";
import { codeOf } from "../support/code-of.ts";

const { header } = planRecord({ sizeBytes: 4096, k: 2, n: 4, cellBytes: 4096 });
const NOW_SECONDS = 1_800_000_000;
const GWEI = 10n ** 9n;
const root = new Uint8Array(32).fill(5);

interface Signed {
  readonly payPerPeriodWei: bigint;
  readonly collateralWei: bigint;
  readonly expiry: number;
}

/** What a client makes of an offer that is sound but for `change`. */
async function check(change: Partial<Signed>) {
  const terms = { ...termsOf(header), startBy: 100, periods: 5 };
  const signed: Signed = { payPerPeriodWei: PAY_WEI, collateralWei: PAY_WEI, expiry: NOW_SECONDS + 600, ...change };
  const { owner, payer, dealSalt, startBy, periods, renewUntil } = terms;
  const offer = {
    ...{ providerId: 1, operatorEpoch: 1, owner, payer, dealSalt, slotIndex: 0, k: 2, n: 4, headerHash: dealHeaderHash(header) },
    ...{ root: hexlify(root), leafCount: leafCountOf(header), startBy, periods, renewUntil },
    ...signed,
  };
  const signature = await offerMessage.sign(DOMAIN, offer, OPERATOR);
  const money = { payPerPeriodWei: String(signed.payPerPeriodWei), collateralWei: String(signed.collateralWei) };
  const candidate = { providerId: 1, operator: OPERATOR.address, operatorEpoch: 1, payPerPeriodWei: PAY_WEI };
  const nowSeconds = NOW_SECONDS;
  return checkOffer({ domain: DOMAIN, terms, slotIndex: 0, root, candidate, body: { ...offer, ...money, signature }, nowSeconds });
}

describe("an offer that its operator has signed", () => {
  it("is taken when the market takes it", async () => {
    for (const collateralWei of [GWEI, GWEI * (2n ** 40n - 1n)]) expect(await check({ collateralWei })).to.include({ collateralWei });
    expect(await check({ expiry: NOW_SECONDS + 30 })).to.include({ expiry: NOW_SECONDS + 30 });
  });

  for (const [why, change] of [
    ["no collateral", { collateralWei: 0n }],
    ["collateral of no whole gwei", { collateralWei: GWEI + 1n }],
    ["more collateral than the market counts", { collateralWei: GWEI * 2n ** 40n }],
    ["no pay", { payPerPeriodWei: 0n }],
    ["pay of no whole gwei", { payPerPeriodWei: PAY_WEI - 1n }],
    ["more pay than was asked for", { payPerPeriodWei: PAY_WEI + GWEI }],
    ["an end before a deal can be mined", { expiry: NOW_SECONDS + 29 }],
  ] as const) {
    it(`is refused with ${why}`, async () => {
      expect(await codeOf(check(change))).to.equal("REFUSED");
    });
  }
});
