/** Slots on their way to providers: what the offers of a deal have in common, however long the sending took. */
import {
  dealHeaderHash,
  type FinishUploadBody,
  leafCountOf,
  type OfferBody,
  type OpenUploadBody,
  offerMessage,
  PpioError,
  planRecord,
  slotBytes,
} from "@ppio/core";
import { expect } from "chai";
import { Signature, Wallet } from "ethers";
import { silentLog, systemClock } from "../../client/dist/deps.js";
import { LIMITS_DEFAULT } from "../../client/dist/limits.js";
import { describeReasons, reasonOf } from "../../client/dist/providers/reasons.js";
import { hashedFill } from "../../client/dist/put/batch.js";
import { storeSlots } from "../../client/dist/put/store-slots.js";

type Context = Parameters<typeof storeSlots>[0];
type Candidate = Parameters<typeof storeSlots>[1]["candidates"][number];

const K = 2;
const N = 3;
const PAY_WEI = 1_000_000_000n;
const { header } = planRecord({ sizeBytes: 20_000, k: K, n: N, cellBytes: 4096 });
const domain = { chainId: 1n, market: `0x${"11".repeat(20)}` };
const owner = Wallet.createRandom();
const operator = Wallet.createRandom();
const TERMS = { owner: owner.address, payer: owner.address, dealSalt: `0x${"22".repeat(32)}`, header, renewUntil: 0 };

/** A provider that takes everything in memory; `onFinish` may refuse. */
class FakeProvider {
  readonly providerId: number;
  readonly #onFinish: (providerId: number) => void;
  #slotIndex = 0;
  receivedBytes = 0;

  constructor(providerId: number, onFinish: (providerId: number) => void) {
    this.providerId = providerId;
    this.#onFinish = onFinish;
  }

  #state() {
    return { uploadId: "", receivedBytes: this.receivedBytes, slotBytes: slotBytes(header) };
  }

  async openUpload({ request }: OpenUploadBody) {
    this.#slotIndex = request.slotIndex;
    return this.#state();
  }

  async uploadState() {
    return this.#state();
  }

  async putBytes(_id: string, offset: number, bytes: Uint8Array) {
    this.receivedBytes = offset + bytes.length;
    return this.#state();
  }

  async dropUpload() {}

  async finishUpload(_id: string, { startBy, periods, renewUntil, root }: FinishUploadBody): Promise<OfferBody> {
    this.#onFinish(this.providerId);
    const { owner, payer, dealSalt } = TERMS;
    const expiry = Math.floor(Date.now() / 1000) + 600;
    const agreed = {
      providerId: this.providerId,
      operatorEpoch: 1,
      root,
      leafCount: leafCountOf(header),
      startBy,
      periods,
      renewUntil,
      expiry,
    };
    const slot = { owner, payer, dealSalt, slotIndex: this.#slotIndex, k: K, n: N, headerHash: dealHeaderHash(header) };
    const signature = await offerMessage.sign(domain, { ...agreed, ...slot, payPerPeriodWei: PAY_WEI, collateralWei: PAY_WEI }, operator);
    return { ...agreed, payPerPeriodWei: String(PAY_WEI), collateralWei: String(PAY_WEI), signature };
  }
}

interface Setting {
  readonly providers: readonly FakeProvider[];
  readonly dates: () => Promise<{ readonly startBy: number; readonly periods: number }>;
}

function store({ providers, dates }: Setting) {
  const context = {
    chain: { domain, signer: () => owner },
    clock: systemClock,
    log: silentLog,
    limits: { ...LIMITS_DEFAULT, pauseMs: 1 },
    api: (endpoint: string) => providers.find(({ providerId }) => endpoint === String(providerId)),
  } as unknown as Context;
  const candidates = providers.map(({ providerId }) => ({
    providerId,
    operator: operator.address,
    operatorEpoch: 1,
    endpoint: String(providerId),
    payPerPeriodWei: PAY_WEI,
  })) as unknown as Candidate[];
  return storeSlots(context, {
    terms: TERMS,
    dates,
    slotIndices: [0, 1, 2],
    candidates,
    fill: hashedFill(header, async (_batch, slots) => {
      for (const [at, slot] of slots.entries()) slot.fill(at + 1);
    }),
    bufferBytes: 1 << 20,
  });
}

describe("storing slots", () => {
  it("agrees on dates when all bytes are there, not when the first one leaves", async () => {
    const providers = [1, 2, 3].map((id) => new FakeProvider(id, () => undefined));
    const stored = await store({
      providers,
      dates: async () => {
        expect(providers.map(({ receivedBytes }) => receivedBytes)).to.deep.equal([1, 2, 3].map(() => slotBytes(header)));
        return { startBy: 77, periods: 5 };
      },
    });
    expect(stored.terms).to.include({ startBy: 77, periods: 5 });
    expect(stored.offers).to.have.length(N);
  });

  it("asks for all offers again when a slot that failed at the end took a pass of its own", async () => {
    const refuse = (providerId: number): void => {
      if (providerId === 3) throw new PpioError("REFUSED", "no collateral is free");
    };
    const providers = [1, 2, 3, 4].map((id) => new FakeProvider(id, refuse));
    let startBy = 100;
    const stored = await store({ providers, dates: async () => ({ startBy: ++startBy, periods: 5 }) });
    expect([stored.passes, stored.terms.startBy]).to.deep.equal([2, 102]);
    expect(stored.offers.map(({ providerId }) => providerId)).to.deep.equal([1, 2, 4]);
    for (const [slotIndex, offer] of stored.offers.entries()) {
      const signed = { ...stored.terms, ...offer, slotIndex, k: K, n: N, headerHash: dealHeaderHash(header) };
      const signature = Signature.from({ r: offer.r, yParityAndS: offer.vs }).serialized;
      expect(offerMessage.recover(domain, signed, signature)).to.equal(operator.address);
    }
  });
});

describe("reasons of providers", () => {
  it("names those with the same reason together", () => {
    const answered = new PpioError("REFUSED", "http://a answered 403: It is full.", { details: { said: "It is full." } });
    const reasons = [
      [9, reasonOf(answered)],
      [3, "It is full"],
      [4, reasonOf(new Error("gone"))],
    ] as const;
    expect(describeReasons(reasons)).to.equal("3, 9: It is full; 4: gone");
  });
});
