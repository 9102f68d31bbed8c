/** When vouchers go to the chain, which of them, and what becomes of those that it does not pay. */
import { createPayFunds, voucherMessage } from "@ppio/core";
import { IBandwidthEscrow__factory } from "@ppio/core/interfaces";
import { type ChainConnection, createLogger } from "@ppio/daemon";
import {
  createProviderMetrics,
  PayerWatch,
  PaymentDesk,
  Promises,
  Redeemer,
  type RedeemerOptions,
  Strikes,
  VoucherLedger,
} from "@ppio/provider";
import { expect } from "chai";
import { getAddress, hexlify, toBeHex, Wallet } from "ethers";
import { ESCROW, PAY_DOMAIN, PAYEE, PRICE_WEI } from "../support/provider/paid-stream.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const DELAY_SECONDS = 120;
const FAR = 4_000_000_000;
const OUTCOME = { paid: 0, overdrawn: 3, unknownKey: 4, keyEnded: 5 } as const;
const BOND_WEI = 10n ** 20n;
const escrowInterface = IBandwidthEscrow__factory.createInterface();

interface Stream {
  readonly payer: string;
  readonly key: Wallet;
}

const newStream = (): Stream => ({ payer: Wallet.createRandom().address, key: new Wallet(Wallet.createRandom().privateKey) });

/** The escrow as far as a payee sees it. */
class FakeEscrow {
  readonly redeemed = new Map<string, bigint>();
  readonly outcomes = new Map<string, number>();
  readonly ripe = new Set<string>();
  readonly events: string[] = [];
  readonly batches: string[][] = [];
  serveUntil = FAR;
  payableWei = 10n ** 20n;
  bondWei = BOND_WEI;
  block = 100;

  readonly chain = {
    book: { escrow: ESCROW },
    rpc: { getBlockNumber: async () => this.block },
    escrow: {
      interface: escrowInterface,
      filters: { WithdrawalRequested: () => "requests", KeyRevoked: () => "revoked", Overdrawn: () => "overdrawn" },
      queryFilter: async (filter: string) => (filter === "revoked" ? this.events.map((payer) => ({ args: { payer } })) : []),
      accountOf: async (payer: string) => ({ ripeAt: this.ripe.has(payer) ? 1n : 0n }),
      promiseOf: async (payer: string) => ({
        ...{ payableWei: this.payableWei, capLeftWei: this.payableWei, bondWei: this.bondWei, serveUntil: BigInt(this.serveUntil) },
        redeemedWei: this.redeemed.get(payer) ?? 0n,
      }),
      redeemBatch: {
        staticCall: async (_payee: string, vouchers: readonly { readonly claim: bigint }[]) => ({
          creditedWei: 0n,
          outcomes: hexlify(Uint8Array.from(vouchers.map(({ claim }) => this.outcomes.get(payerOf(claim)) ?? OUTCOME.paid))),
        }),
      },
    },
  } as unknown as ChainConnection;

  readonly send: RedeemerOptions["sender"]["send"] = async (_id, { data }) => {
    const [payee, vouchers] = escrowInterface.decodeFunctionData("redeemBatch", data) as unknown as [string, { claim: bigint }[]];
    expect(payee).to.equal(PAYEE);
    this.batches.push(vouchers.map(({ claim }) => payerOf(claim)));
    for (const { claim } of vouchers) {
      if (!this.outcomes.has(payerOf(claim))) this.redeemed.set(payerOf(claim), claim & ((1n << 96n) - 1n));
    }
    return { logs: [], hash: "0x" } as never;
  };
}

function payerOf(claim: bigint): string {
  return getAddress(toBeHex(claim >> 96n, 20));
}

describe("redeeming vouchers", () => {
  let escrow: FakeEscrow;
  let ledger: VoucherLedger;
  let redeemer: Redeemer;
  let nowMs: number;
  let redeemAtWei: bigint;
  let isLeaving: boolean;

  const start = (): void => {
    const now = (): number => nowMs;
    const promises = new Promises(createPayFunds(escrow.chain.escrow), now);
    const metrics = createProviderMetrics();
    const strikes = new Strikes(now);
    const desk = new PaymentDesk({ pricePerGibWei: PRICE_WEI, payee: PAYEE, domain: PAY_DOMAIN, ledger, promises, strikes, metrics, now });
    redeemer = new Redeemer({
      ...{ chain: escrow.chain, sender: { send: escrow.send }, ledger, desk, promises, watch: new PayerWatch(escrow.chain) },
      ...{
        delaySeconds: DELAY_SECONDS,
        redeemAtWei,
        isLeaving: () => isLeaving,
        metrics,
        log: createLogger({ component: "test", write: () => undefined }),
        now,
      },
    });
  };
  beforeEach(async () => {
    escrow = new FakeEscrow();
    ledger = await VoucherLedger.open(await temporaryFolder());
    nowMs = 1_750_000_000_000;
    redeemAtWei = 10n ** 18n;
    isLeaving = false;
    start();
  });
  afterEach(() => ledger.close());
  after(removeTemporaryFolders);

  const hold = async ({ payer, key }: Stream, cumulativeWei: bigint): Promise<void> => {
    const signature = await voucherMessage.sign(PAY_DOMAIN, { payer, payee: PAYEE, cumulativeWei }, key);
    await ledger.put({ payer, key: key.address, payee: PAYEE, cumulativeWei, signature, owedWei: 0n, openSinceMs: nowMs });
  };

  it("waits for half of the delay, then takes all that is open in one batch, and never the same again", async () => {
    const [one, other] = [newStream(), newStream()];
    await hold(one, 5n);
    nowMs += (DELAY_SECONDS * 1000) / 2 - 1;
    await hold(other, 7n);
    await redeemer.round();
    expect(escrow.batches).to.deep.equal([]);
    nowMs += 1;
    await redeemer.round();
    expect(escrow.batches).to.deep.equal([[one.payer, other.payer]]);
    nowMs += DELAY_SECONDS * 1000;
    await redeemer.round();
    expect(escrow.batches).to.have.length(1);
    expect(ledger.size).to.equal(2);
  });

  it("does not wait when enough has gathered, or when a stream comes near what its account carries", async () => {
    const stream = newStream();
    await hold(stream, redeemAtWei);
    await redeemer.round();
    expect(escrow.batches).to.have.length(1);
    const near = newStream();
    escrow.bondWei = 48n;
    await hold(near, 1n);
    await redeemer.round();
    expect(escrow.batches[1]).to.deep.equal([near.payer]);
  });

  it("does not wait when the provider leaves", async () => {
    const stream = newStream();
    await hold(stream, 1n);
    await redeemer.round();
    expect(escrow.batches).to.deep.equal([]);
    isLeaving = true;
    await redeemer.round();
    expect(escrow.batches).to.deep.equal([[stream.payer]]);
  });

  it("does not wait when the payer ends a key, nor for a withdrawal that was asked for before the start", async () => {
    const [one, other] = [newStream(), newStream()];
    await hold(one, 5n);
    await redeemer.round();
    escrow.events.push(one.payer);
    escrow.block += 1;
    await redeemer.round();
    expect(escrow.batches).to.deep.equal([[one.payer]]);
    escrow.events.length = 0;
    await hold(other, 5n);
    escrow.ripe.add(other.payer);
    await redeemer.round();
    expect(escrow.batches).to.have.length(1);
    start();
    await redeemer.round();
    expect(escrow.batches[1]).to.deep.equal([other.payer]);
  });

  it("drops what will never be paid, and takes the bond of who promised too much once", async () => {
    const [stranger, late, poor] = [newStream(), newStream(), newStream()];
    for (const stream of [stranger, late, poor]) await hold(stream, 5n);
    escrow.outcomes.set(stranger.payer, OUTCOME.unknownKey).set(late.payer, OUTCOME.keyEnded).set(poor.payer, OUTCOME.overdrawn);
    nowMs += DELAY_SECONDS * 1000;
    await redeemer.round();
    expect(escrow.batches).to.deep.equal([[poor.payer]]);
    expect(ledger.all().map(({ payer }) => payer)).to.deep.equal([poor.payer]);
    // Nothing is left of it.
    [escrow.payableWei, escrow.bondWei] = [0n, 0n];
    for (let round = 0; round < 3; round += 1) await redeemer.round();
    expect(escrow.batches).to.have.length(1);
    // It deposits again: what was not paid still counts.
    escrow.payableWei = 5n;
    escrow.outcomes.delete(poor.payer);
    nowMs += DELAY_SECONDS * 1000;
    await redeemer.round();
    expect(escrow.batches[1]).to.deep.equal([poor.payer]);
  });

  it("forgets a stream that is redeemed once its key's time is over", async () => {
    const stream = newStream();
    await hold(stream, 5n);
    nowMs += DELAY_SECONDS * 1000;
    await redeemer.round();
    escrow.serveUntil = Math.floor(nowMs / 1000);
    for (let round = 0; round < 2; round += 1) await redeemer.round();
    expect(ledger.size).to.equal(1);
    nowMs += (DELAY_SECONDS + 1) * 1000;
    for (let round = 0; round < 2; round += 1) await redeemer.round();
    expect(ledger.size).to.equal(0);
  });
});
