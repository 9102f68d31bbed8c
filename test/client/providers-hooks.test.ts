/** Where operations note how providers served, and go by it: puts, reads, listings. */
import { PpioError, type ProviderInfo, planRecord, slotBytes } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";
import type { Context } from "../../client/dist/context.js";
import { silentLog, systemClock } from "../../client/dist/deps.js";
import { likingOf } from "../../client/dist/get/liking.js";
import { measured } from "../../client/dist/get/measured.js";
import { createReadPace } from "../../client/dist/get/read-pace.js";
import { createRoom } from "../../client/dist/get/room.js";
import { createRowReader, type RowReaderOptions } from "../../client/dist/get/row-reader.js";
import { LIMITS_DEFAULT } from "../../client/dist/limits.js";
import { judge } from "../../client/dist/providers/fit.js";
import { listProviders, type ProviderView, poolProvidersSoon } from "../../client/dist/providers/list.js";
import { selectPatiently } from "../../client/dist/providers/select.js";
import { createServiceLog } from "../../client/dist/providers/service-log.js";
import { createMemoryServiceStore } from "../../client/dist/providers/service-store.js";
import { createStragglers } from "../../client/dist/providers/stragglers.js";
import { hashedFill } from "../../client/dist/put/batch.js";
import { storeSlots } from "../../client/dist/put/store-slots.js";
import { HandClock } from "../support/client/hand-clock.ts";
import { heldFor, NOW_MS } from "../support/client/provider-views.ts";
import { candidatesOf, contextOf, type Illness, SimulatedProvider, standStill, termsOf } from "../support/client/simulated-provider.ts";
import { codeOf } from "../support/code-of.ts";

const K = 2;
const N = 4;
const { header } = planRecord({ sizeBytes: 32 * K * 4096, k: K, n: N, cellBytes: 4096 });

/** One healthy spare, and number 2 ill. */
async function storeWith(illness: Illness) {
  const providers = Array.from({ length: N + 1 }, (_, at) => new SimulatedProvider(at + 1, header, at === 1 ? illness : {}));
  const context = contextOf(providers, { requestBytesMax: 4096, lateMs: 60, requestMs: 600_000, triesMax: 1 });
  await storeSlots(context, {
    terms: termsOf(header),
    dates: async () => ({ startBy: 100, periods: 5 }),
    slotIndices: [0, 1, 2, 3],
    candidates: candidatesOf(providers),
    fill: hashedFill(header, async (_batch, slots) => {
      for (const slot of slots) slot.fill(7);
    }),
    bufferBytes: 1 << 20,
  });
  await context.service.settle();
  return context.service;
}

describe("a put", () => {
  const halfway = ({ receivedBytes }: SimulatedProvider): boolean => receivedBytes >= slotBytes(header) / 2;
  const ILLNESSES: readonly (readonly [what: string, illness: Illness, kind: string])[] = [
    ["refuses", { onOpen: () => Promise.reject(new PpioError("REFUSED", "full", { details: { said: "full" } })) }, "refused"],
    ["stands still", { onPut: (one, signal) => (halfway(one) ? standStill(signal) : Promise.resolve()) }, "stalled"],
    ["vanishes", { onPut: async (one) => (halfway(one) ? Promise.reject(new PpioError("NETWORK", "broke off")) : undefined) }, "vanished"],
    ["claims what it was not sent", { claimedBytes: slotBytes(header) }, "lied"],
    ["signs for other bytes", { root: `0x${"ab".repeat(32)}` }, "lied"],
  ];
  for (const [what, illness, kind] of ILLNESSES) {
    it(`notes that a provider ${what}, and measures the others`, async () => {
      const service = await storeWith(illness);
      expect(service.recordOf(2)?.failure?.kind).to.equal(kind);
      for (const providerId of [1, 3, 4, 5]) {
        expect(service.recordOf(providerId)).to.include({ failures: 0 });
        expect(service.recordOf(providerId)?.sentBytesPerSecond, `provider ${providerId}`).to.be.greaterThan(0);
      }
    });
  }
});

describe("the order in which slots are asked", () => {
  type Slots = Parameters<typeof likingOf>[0];
  const slots = [0, 1, 2, 3, 4].map((slotIndex) => ({
    slotIndex,
    status: "Filled",
    provider: { providerId: slotIndex + 10, evicted: false },
  }));
  const fast = (readBytesPerSecond: number) => ({ seenAtMs: NOW_MS, failures: 0, lies: 0, readBytesPerSecond });

  it("is that of measured speed, with the unknown in the middle and the gone at the end", () => {
    const records = new Map([
      [10, fast(1_000)],
      [11, fast(3_000)],
      [12, fast(2_000)],
      [14, fast(9_000)],
    ]);
    const gone = slots.map((slot) => (slot.slotIndex === 4 ? { ...slot, status: "Vacant" } : slot)) as unknown as Slots;
    expect(likingOf(gone, (id) => records.get(id), NOW_MS).slots).to.deep.equal([1, 3, 2, 0, 4]);
    expect(likingOf(slots as unknown as Slots, () => undefined, NOW_MS).slots).to.deep.equal([0, 1, 2, 3, 4]);
  });

  it("leaves liars and who is away for the last, but not who has refused an upload, nor for ever", () => {
    const records = new Map([
      [10, heldFor(1_000, 5, "lied")],
      [11, heldFor(1_000, 5, "refused")],
      [12, heldFor(1_000, 5, "vanished")],
      [13, heldFor(-1, 5, "stalled")],
    ]);
    expect([...likingOf(slots as unknown as Slots, (id) => records.get(id), NOW_MS).lastResort]).to.deep.equal([0, 2]);
  });
});

describe("a read", () => {
  // With k = 1 all slots are the same bytes.
  const { header: thin } = planRecord({ sizeBytes: 8_192, k: 1, n: 2, cellBytes: 4096 });
  const cells = (rows: number): Uint8Array => new Uint8Array(rows * 4096).fill(9);

  function readerWith(more: Partial<RowReaderOptions>) {
    const limits = { ...LIMITS_DEFAULT, pauseMs: 1, hedgeMs: 20 };
    const asked: number[] = [];
    const reader = createRowReader({
      dealId: "0x",
      header: thin,
      slots: [0, 1],
      providerOf: (slotIndex) => slotIndex,
      room: createRoom(),
      limits,
      pace: createReadPace(limits),
      stragglers: createStragglers(systemClock),
      clock: systemClock,
      log: silentLog,
      ...more,
      readCells: (slotIndex, firstRow, rowCount, signal) => {
        asked.push(slotIndex);
        return more.readCells?.(slotIndex, firstRow, rowCount, signal) ?? Promise.resolve(cells(rowCount));
      },
    });
    return { reader, asked };
  }

  it("never asks a liar first, though its slot is the wanted one, and asks it when nobody else is left", async () => {
    const { reader, asked } = readerWith({ lastResort: new Set([0]) });
    expect(await reader.readRows(0, 2, [0])).to.deep.equal(new Map([[1, cells(2)]]));
    expect(asked).to.deep.equal([1]);
    const failing = readerWith({
      lastResort: new Set([0]),
      readCells: async (slotIndex, _first, rowCount) =>
        slotIndex === 1 ? Promise.reject(new PpioError("REFUSED", "no")) : cells(rowCount),
    });
    expect((await failing.reader.readRows(0, 2, [0])).get(0)).to.deep.equal(cells(2));
    expect(failing.asked).to.deep.equal([1, 0]);
  });

  it("tells of slots that fail, and of those that let others overtake them", async () => {
    const told: string[] = [];
    const hooks = {
      onFailed: (slotIndex: number, error: unknown) => void told.push(`${slotIndex} failed: ${(error as Error).message}`),
      onOvertaken: (slotIndex: number) => void told.push(`${slotIndex} late`),
    };
    const failing = readerWith({
      ...hooks,
      readCells: async (slotIndex, _first, rowCount) =>
        slotIndex === 0 ? Promise.reject(new PpioError("CORRUPT", "lies")) : cells(rowCount),
    });
    await failing.reader.readRows(0, 2, [0]);
    expect(told.splice(0)).to.deep.equal(["0 failed: lies"]);
    const late = readerWith({
      ...hooks,
      readCells: (slotIndex, _first, rowCount, signal) => (slotIndex === 0 ? standStill(signal) : Promise.resolve(cells(rowCount))),
    });
    for (const row of [0, 1, 0]) await late.reader.readRows(row, 1, [0]);
    expect(told).to.deep.equal(["0 late"]);
    expect(late.asked).to.deep.equal([0, 1, 1, 1]);
  });

  it("measures an answer from the question to its last byte", async () => {
    let nowMs = NOW_MS;
    const clock = { ...systemClock, nowMs: () => nowMs };
    const service = createServiceLog({ store: createMemoryServiceStore(), clock, log: silentLog });
    const passes = async (ms: number): Promise<void> => {
      nowMs += ms;
    };
    const answer = await measured({ clock, service }, 5, async () => {
      await passes(40);
      return { readCells: () => passes(100), end: async () => {}, close: async () => {} };
    });
    await passes(5_000);
    for (let part = 0; part < 2; part += 1) await answer.readCells(new Uint8Array(1 << 20));
    await service.settle();
    expect(service.recordOf(5)).to.include({ latencyMs: 40, readBytesPerSecond: 10 << 20 });
  });
});

describe("a listing", () => {
  const MARKET = `0x${"11".repeat(20)}`;

  /** A chain with providers 1 to `count`, of which each answers what `infoOf` says. */
  function contextOver(count: number, infoOf: (providerId: number) => unknown): Context {
    const record = (providerId: number) => ({
      owner: "0xowner",
      operator: "0xoperator",
      operatorEpoch: 1n,
      endpoint: String(providerId),
      failureDomain: "home",
      pricePerGibPeriodWei: 5n,
      capacityBytes: 1n,
      collateralWei: 1n,
      evictedAtPeriod: providerId === 1 ? 9n : 0n,
    });
    const service = createServiceLog({ store: createMemoryServiceStore(), clock: systemClock, log: silentLog });
    return {
      silent: createStragglers(systemClock),
      chain: {
        book: { chainId: 1, market: MARKET },
        read: (_what: string, call: () => Promise<unknown>) => call(),
        registry: {
          providerCount: async () => BigInt(count),
          getProvider: async (id: number) => record(id),
          freeCollateral: async () => 10n ** 18n,
        },
        proofs: {
          currentPeriod: async () => 1_000n,
          provenCount: async (_id: number, from: number, to: number) => BigInt(to - from - 20),
          // An old incident, a recent one with three before it, none.
          penaltyRecord: async (id: number) => ({
            incidentMisses: id === 4 ? 0n : 2n,
            incidents: 4n,
            lastMissPeriod: id === 2 ? 279n : 280n,
          }),
        },
        committee: { scoreOf: async (id: number) => ({ score: 9_000n, term: id === 3 ? 7n : 0n }) },
      },
      service,
      clock: systemClock,
      random: (length: number) => new Uint8Array(length).fill(3),
      log: silentLog,
      limits: LIMITS_DEFAULT,
      api: (endpoint: string) => ({ info: async () => infoOf(Number(endpoint)) }),
    } as unknown as Context;
  }

  const POLICY = {
    periodsMin: 1,
    periodsMax: 1_000,
    minCollateralWei: "0",
    maxCollateralWei: "0",
    priceRisePercent: 0,
    isOpenToAll: true,
    hindrances: [],
  };

  const info = (providerId: number) => ({
    version: 1,
    providerId,
    operatorEpoch: 1,
    chainId: 1,
    market: MARKET,
    pricePerGibPeriodWei: "5",
    collateralPeriods: 1,
    freeBytes: 1,
  });

  it("has each provider's standing of the last 720 periods, evicted ones' too", async () => {
    const views = await listProviders(contextOver(4, info));
    expect(views.map(({ problem }) => problem)).to.deep.equal(["evicted in period 9", undefined, undefined, undefined]);
    expect(views.map(({ standing }) => standing)).to.deep.equal([
      { windowPeriods: 720, provenPeriods: 700, missedPeriods: 5 },
      { windowPeriods: 720, provenPeriods: 700, missedPeriods: 0 },
      { windowPeriods: 720, provenPeriods: 700, missedPeriods: 5, score: { score: 9_000, term: 7 } },
      { windowPeriods: 720, provenPeriods: 700, missedPeriods: 0 },
    ]);
  });

  it("takes nothing from a provider that describes itself in no numbers, and goes on with the others", async () => {
    const odd = [
      { freeBytes: "much" },
      { freeBytes: -1 },
      { pricePerGibPeriodWei: "-5" },
      { pricePerGibPeriodWei: "cheap" },
      { collateralPeriods: 1.5 },
      { policy: { ...POLICY, hindrances: "none" } },
      { policy: { ...POLICY, hindrances: undefined } },
      { policy: { ...POLICY, maxCollateralWei: null } },
      { policy: null },
      { policy: 3 },
    ];
    const views = await listProviders(contextOver(odd.length + 2, (id) => ({ ...info(id), ...odd[id - 2] })));
    expect(views.slice(1, -1).map(({ problem }) => problem)).to.deep.equal(odd.map(() => "it describes itself in another format"));
    expect(views.slice(1, -1).every((view) => view.info === undefined)).to.equal(true);
    expect(views.at(-1)).to.not.have.property("problem");
  });

  it("survives whatever a provider says of itself", async () => {
    const described = JSON.stringify({ ...info(2), policy: POLICY, reads: { pricePerGibWei: "7" } });
    await fc.assert(
      fc.asyncProperty(fc.nat(described.length - 1), fc.nat(6), async (at, bit) => {
        const flipped = String.fromCharCode(described.charCodeAt(at) ^ (1 << bit));
        const said = JSON.parse.bind(JSON, described.slice(0, at) + flipped + described.slice(at + 1));
        const [, view, honest] = await listProviders(contextOver(3, (id) => (id === 2 ? said() : info(id))));
        for (const one of [view, honest]) judge(one as ProviderView, { slotBytes: 1, periods: 9 });
        expect(honest).to.not.have.property("problem");
      }),
      { numRuns: 300 },
    );
  });

  it("shows what this client has seen, and looks longer when too few that did not fail have answered", async () => {
    const context = contextOver(4, info);
    context.service.failed(2, new PpioError("CORRUPT", "lies"));
    context.service.sent(3, 1, 1);
    await context.service.settle();
    let looks = 0;
    const counted: Context = {
      ...context,
      api(endpoint) {
        looks += 1;
        return context.api(endpoint);
      },
    };
    const pool = await poolProvidersSoon(counted, 2);
    expect([looks, pool.seed.length]).to.deep.equal([3, 32]);
    expect(pool.views[1]?.served?.failure?.kind).to.equal("lied");
    await poolProvidersSoon(counted, 3);
    expect(looks).to.equal(9);
  });

  it("waits for no provider that stands still once most have answered, and for less the next time", async () => {
    const clock = new HandClock();
    /** Provider 1 is evicted and not asked; 2 stands still, and 3 when it is told to. */
    const ill = new Set([2]);
    const made = contextOver(8, info);
    const context: Context = {
      ...made,
      clock,
      silent: createStragglers(clock),
      api: (endpoint) => ({
        ...made.api(endpoint),
        info: async (signal) => {
          await (ill.has(Number(endpoint)) ? standStill(signal) : clock.sleep(20, signal));
          return info(Number(endpoint)) as unknown as ProviderInfo;
        },
      }),
    };
    const look = async (needed: number) => {
      const { result, ms } = await clock.timed(poolProvidersSoon(context, needed));
      return { answered: result.views.flatMap(({ info: said, providerId }) => (said === undefined ? [] : [providerId])), ms };
    };
    const well = [3, 4, 5, 6, 7, 8];
    expect(await look(4)).to.deep.equal({ answered: well, ms: 501 });
    const second = await look(4);
    expect(second.answered).to.deep.equal(well);
    expect(second.ms).to.equal(151);
    ill.add(3);
    expect(await look(4), "one that was not late before").to.deep.equal({ answered: well.slice(1), ms: 501 });
    const all = await look(6);
    expect(all.ms, "too few without them").to.be.above(5_000);

    // Enough for the object, too few for its bucket's listing: everybody is waited for once.
    const { result: pool } = await clock.timed(poolProvidersSoon(context, 4));
    ill.delete(3);
    const deal = (needed: number) => selectPatiently({ pool, code: { k: 2, n: needed }, slotBytes: 1, needed, spares: 0, periods: 1 });
    expect((await clock.timed(deal(4))).ms).to.be.at.most(1);
    expect((await clock.timed(deal(6))).ms).to.be.above(4_900);
    expect((await clock.timed(deal(6))).ms).to.be.at.most(1);
    expect(await codeOf(deal(7))).to.equal("NOT_ENOUGH_PROVIDERS");
    ill.clear();
    expect((await look(7)).answered, "it answers again").to.deep.equal([2, ...well]);
  });
});
