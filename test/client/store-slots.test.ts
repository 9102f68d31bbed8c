/** Slots on their way to providers: what the offers of a deal have in common, and what a provider that is ill does to the others. */
import { dealHeaderHash, offerMessage, PpioError, planRecord, slotBytes } from "@ppio/core";
import { expect } from "chai";
import { Signature } from "ethers";
import { describeReasons, reasonOf } from "../../client/dist/providers/reasons.js";
import { hashedFill } from "../../client/dist/put/batch.js";
import { storeSlots } from "../../client/dist/put/store-slots.js";
import {
  candidatesOf,
  contextOf,
  DOMAIN,
  type Illness,
  OPERATOR,
  SimulatedProvider,
  standStill,
  termsOf,
} from "../support/client/simulated-provider.ts";
import { codeOf } from "../support/code-of.ts";

const K = 2;
const N = 4;
const ROWS = 24;
const { header } = planRecord({ sizeBytes: ROWS * K * 4096, k: K, n: N, cellBytes: 4096 });
const SLOT_BYTES = slotBytes(header);
/** One row: a put of many batches. */
const LIMITS = { requestBytesMax: 4096, lateMs: 60 };

const byteOf = (slotIndex: number, row: number): number => (slotIndex * 50 + row) & 0xff;

/** Healthy ones from 1 on, but for those that are ill. */
function providersWith(count: number, ill: Readonly<Record<number, Illness>> = {}): SimulatedProvider[] {
  return Array.from({ length: count }, (_, at) => new SimulatedProvider(at + 1, header, ill[at + 1]));
}

type Options = Partial<Parameters<typeof storeSlots>[1]>;

function store(providers: readonly SimulatedProvider[], options: Options = {}, limits: Parameters<typeof contextOf>[1] = {}) {
  return storeSlots(contextOf(providers, { ...LIMITS, ...limits }), {
    terms: termsOf(header),
    dates: async () => ({ startBy: 100, periods: 5 }),
    slotIndices: Array.from({ length: N }, (_, at) => at),
    candidates: candidatesOf(providers),
    fill: hashedFill(header, async ({ firstRow }, slots) => {
      for (const [at, slot] of slots.entries()) {
        for (let inSlot = 0; inSlot < slot.length; inSlot += 4096) slot.fill(byteOf(at, firstRow + inSlot / 4096), inSlot, inSlot + 4096);
      }
    }),
    bufferBytes: 1 << 20,
    ...options,
  });
}

type Stored = Awaited<ReturnType<typeof store>>;

/** Every slot lies whole at a distinct provider that has signed for it. */
function expectStored(stored: Stored, providers: readonly SimulatedProvider[]): void {
  expect(new Set(stored.offers.map(({ providerId }) => providerId)).size).to.equal(N);
  for (const [slotIndex, offer] of stored.offers.entries()) {
    const signed = { ...stored.terms, ...offer, slotIndex, k: K, n: N, headerHash: dealHeaderHash(header) };
    const signature = Signature.from({ r: offer.r, yParityAndS: offer.vs }).serialized;
    expect(offerMessage.recover(DOMAIN, signed, signature)).to.equal(OPERATOR.address);
    const bytes = providers.find(({ providerId }) => providerId === offer.providerId)?.bytes ?? new Uint8Array();
    expect(bytes).to.have.length(SLOT_BYTES);
    for (let row = 0; row < ROWS; row += 1) expect(bytes[row * 4096 + 7]).to.equal(byteOf(slotIndex, row));
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe("storing slots", function () {
  this.timeout(20_000);

  it("agrees on dates when all bytes are there, not when the first one leaves", async () => {
    const providers = providersWith(N);
    const stored = await store(providers, {
      dates: async () => {
        expect(providers.map(({ receivedBytes }) => receivedBytes)).to.deep.equal(providers.map(() => SLOT_BYTES));
        return { startBy: 77, periods: 5 };
      },
    });
    expect(stored.terms).to.include({ startBy: 77, periods: 5 });
    expect([stored.passes, stored.resumedBytes]).to.deep.equal([1, 0]);
    expectStored(stored, providers);
  });

  it("asks for all offers again when a slot that failed at the end took a pass of its own", async () => {
    const refuse = async (): Promise<void> => {
      throw new PpioError("REFUSED", "no collateral is free");
    };
    const providers = providersWith(N + 1, { 3: { onFinish: refuse } });
    let startBy = 100;
    const stored = await store(providers, { dates: async () => ({ startBy: ++startBy, periods: 5 }) });
    expect([stored.passes, stored.terms.startBy]).to.deep.equal([2, 102]);
    expect(stored.offers.map(({ providerId }) => providerId)).to.deep.equal([1, 2, 5, 4]);
    expectStored(stored, providers);
  });

  it("sends a slot as one body where the provider tells how far it is", async () => {
    const providers = providersWith(N).map((provider) => provider.streamInSteps());
    const stored = await store(providers);
    expectStored(stored, providers);
    expect(providers.map(({ bodies }) => bodies)).to.deep.equal([1, 1, 1, 1]);
  });

  it("counts what a slot has for the first time, and nothing twice", async () => {
    let sent = 0;
    const vanish: Illness = {
      onPut: async ({ receivedBytes }) => {
        if (receivedBytes >= SLOT_BYTES / 2) throw new PpioError("REFUSED", "gone");
      },
    };
    await store(providersWith(N + 1, { 2: vanish }), { onSent: (bytes) => (sent += bytes) });
    expect(sent).to.equal(N * SLOT_BYTES);
  });
});

describe("the long tail of a put", function () {
  this.timeout(20_000);

  const halfway =
    (then: (signal: AbortSignal | undefined) => Promise<void>) =>
    (provider: SimulatedProvider, signal: AbortSignal | undefined): Promise<void> =>
      provider.receivedBytes >= SLOT_BYTES / 2 ? then(signal) : Promise.resolve();
  const lost = async (): Promise<void> => {
    throw new PpioError("NETWORK", "the connection broke off");
  };

  const ILLNESSES: Record<string, Illness> = {
    "stands still when it is asked for a place": { onOpen: (_, signal) => standStill(signal) },
    "stands still before the first byte": { onPut: (_, signal) => standStill(signal) },
    "stands still halfway": { onPut: halfway(standStill) },
    "is a hundred times slower than the others": { onPut: () => pause(40) },
    "vanishes halfway": { onPut: halfway(lost) },
    "refuses a place": { onOpen: () => Promise.reject(new PpioError("REFUSED", "It is full.")) },
    "stands still when it is asked to sign": { onFinish: (_, signal) => standStill(signal) },
    "refuses to sign": { onFinish: () => Promise.reject(new PpioError("REFUSED", "no collateral is free")) },
    "signs for another root": { root: `0x${"ab".repeat(32)}` },
    "claims bytes that it was not sent": { claimedBytes: SLOT_BYTES },
    "takes bytes and says that it has none": { claimedBytes: 0 },
  };

  for (const [what, illness] of Object.entries(ILLNESSES)) {
    it(`a provider that ${what} keeps nothing from being stored, where bodies are told of in steps`, async () => {
      const providers = providersWith(N + 1, { 2: illness }).map((provider) => provider.streamInSteps());
      const stored = await store(providers, {}, { requestMs: 600_000 });
      expectStored(stored, providers);
    });

    it(`a provider that ${what} keeps nothing from being stored`, async () => {
      const providers = providersWith(N + 1, { 2: illness });
      // Deadlines that nobody waits for: only a spare ends this in time.
      const stored = await store(providers, {}, { requestMs: 600_000 });
      expectStored(stored, providers);
      expect(stored.offers.map(({ providerId }) => providerId)).to.have.members([1, 3, 4, 5]);
    });
  }

  it("takes several that are ill in different ways at once", async () => {
    const ill = { 1: ILLNESSES["stands still halfway"], 2: ILLNESSES["vanishes halfway"], 4: ILLNESSES["signs for another root"] };
    const providers = providersWith(2 * N, ill as Record<number, Illness>);
    const stored = await store(providers, {}, { requestMs: 600_000 });
    expectStored(stored, providers);
    expect(stored.offers.map(({ providerId }) => providerId)).not.to.include.oneOf([1, 2, 4]);
  });

  it("tells a provider that lost the race to forget its part", async () => {
    const providers = providersWith(N + 1, { 2: { onPut: halfway(standStill) } });
    await store(providers);
    while (providers[1]?.drops === 0) await pause(1);
    expect(providers.map(({ drops }) => drops)).to.deep.equal([0, 1, 0, 0, 0]);
  });

  it("takes the offer of a provider that was slow to sign when it comes before its rival's", async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const rival: Illness = {
      onPut: async (_, signal) => {
        release();
        await standStill(signal);
      },
    };
    const providers = providersWith(N + 1, { 2: { onFinish: () => released }, 5: rival });
    const stored = await store(providers);
    expect(stored.offers.map(({ providerId }) => providerId)).to.have.members([1, 2, 3, 4]);
    while (providers[4]?.drops === 0) await pause(1);
  });

  it("waits for a slow provider when there is nobody else", async () => {
    const providers = providersWith(N, { 2: { onPut: () => pause(20) } });
    expectStored(await store(providers, {}, { lateMs: 5 }), providers);
  });

  it("goes back to one that was late when its spare fails, and sends only what it has not", async () => {
    let stalls = 1;
    const late: Illness = {
      onPut: halfway(async (signal) => {
        if (stalls-- > 0) await standStill(signal);
      }),
    };
    const providers = providersWith(N + 1, { 2: late, 5: { onPut: () => Promise.reject(new PpioError("NO_SPACE", "disk full")) } });
    const stored = await store(providers);
    expectStored(stored, providers);
    expect(providers[1]?.takenBytes).to.equal(SLOT_BYTES);
  });

  it("gives another slot to one that was late once and has lost its own to a spare", async () => {
    let stalls = 1;
    const late: Illness = {
      onPut: halfway(async (signal) => {
        if (stalls-- > 0) await standStill(signal);
      }),
    };
    const refuse: Illness = {
      onFinish: async () => {
        while (providers[1]?.drops === 0) await pause(1);
        throw new PpioError("REFUSED", "no collateral is free");
      },
    };
    const providers = providersWith(N + 1, { 2: late, 3: refuse });
    const stored = await store(providers);
    expectStored(stored, providers);
    expect(stored.offers.map(({ providerId }) => providerId)).to.have.members([1, 2, 4, 5]);
  });

  it("sends nothing to spares while all is well", async () => {
    const providers = providersWith(2 * N);
    await store(providers);
    expect(providers.slice(N).map(({ takenBytes }) => takenBytes)).to.deep.equal([0, 0, 0, 0]);
  });

  it("fails when fewer than n providers work, says why, and lets all of them forget", async () => {
    const refuse = { onFinish: () => Promise.reject(new PpioError("REFUSED", "no collateral is free")) };
    const providers = providersWith(N + 1, { 2: refuse, 3: refuse });
    const failed = await store(providers).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failed).to.include({ code: "NOT_ENOUGH_PROVIDERS" });
    expect(String(failed)).to.contain("2, 3: no collateral is free");
    expect(providers.map(({ drops }) => drops)).to.deep.equal([1, 1, 1, 1, 1]);
  });

  it("does not blame providers when its own network is down for a while", async () => {
    let isDown = false;
    let resume = (): void => {};
    const up = new Promise<void>((resolve) => {
      resume = resolve;
    });
    const behind: Illness = { onPut: halfway(() => (isDown ? up : Promise.resolve())) };
    const first: Illness = {
      onPut: async ({ receivedBytes }) => {
        if (receivedBytes <= SLOT_BYTES / 2) return;
        isDown = true;
        await up;
      },
    };
    const providers = providersWith(2 * N, { 1: first, 2: first, 3: first, 4: behind });
    const storing = store(providers);
    while (!isDown) await pause(1);
    await pause(4 * LIMITS.lateMs);
    resume();
    const stored = await storing;
    expect(stored.offers.map(({ providerId }) => providerId)).to.deep.equal([1, 2, 3, 4]);
  });

  it("ends at once when it is cancelled while a provider stands still", async () => {
    const cancel = new AbortController();
    const still: Illness = {
      onPut: halfway(async (signal) => {
        cancel.abort();
        await standStill(signal);
      }),
    };
    const providers = providersWith(N, { 2: still });
    expect(await codeOf(() => store(providers, { signal: cancel.signal }))).to.equal("CANCELLED");
  });
});

describe("a put that goes on with one that was cut", function () {
  this.timeout(20_000);

  /** Its network breaks off when provider 1 has half; providers keep what they have. */
  async function cutHalfway() {
    const cancel = new AbortController();
    const providers = providersWith(N + 1, {
      1: {
        onPut: async ({ receivedBytes }) => {
          if (receivedBytes >= SLOT_BYTES / 2) cancel.abort();
        },
      },
    });
    const hired: ReadonlyMap<number, number>[] = [];
    const onHired = async (serving: ReadonlyMap<number, number>): Promise<void> => {
      expect(providers.map(({ takenBytes }) => takenBytes)).to.deep.equal(providers.map(() => 0));
      hired.push(serving);
    };
    expect(await codeOf(() => store(providers, { signal: cancel.signal, isKept: () => true, onHired }))).to.equal("CANCELLED");
    expect(providers.map(({ drops }) => drops)).to.deep.equal(providers.map(() => 0));
    return { providers, begun: hired.at(-1) ?? new Map<number, number>() };
  }

  it("sends every byte once in all, to the providers that had the slots, whatever their order is now", async () => {
    const { providers, begun } = await cutHalfway();
    const had = providers.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
    expect(had).to.be.greaterThan(SLOT_BYTES);
    let sent = 0;
    const stored = await store(providers.toReversed(), { begun, onSent: (bytes) => (sent += bytes) });
    expectStored(stored, providers);
    expect([stored.resumedBytes, sent]).to.deep.equal([had, N * SLOT_BYTES]);
    expect(providers.reduce((sum, { takenBytes }) => sum + takenBytes, 0)).to.equal(N * SLOT_BYTES);
  });

  it("sends a slot from its first byte when its provider has forgotten it or is gone", async () => {
    const { providers, begun } = await cutHalfway();
    const [first, , third] = providers;
    await first?.dropUpload();
    const left = providers.filter((provider) => provider !== third);
    expectStored(await store(left, { begun }), left);
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
