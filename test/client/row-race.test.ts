/** What a read waits for when a provider stands still, by a clock that the test moves. */
import { PpioError, planRecord } from "@ppio/core";
import { expect } from "chai";
import { silentLog } from "../../client/dist/deps.js";
import { createReadPace, PATIENCE_MIN_MS } from "../../client/dist/get/read-pace.js";
import { createRoom } from "../../client/dist/get/room.js";
import { createRowReader } from "../../client/dist/get/row-reader.js";
import { LIMITS_DEFAULT } from "../../client/dist/limits.js";
import { createStragglers } from "../../client/dist/providers/stragglers.js";
import { HandClock } from "../support/client/hand-clock.ts";
import { standStill } from "../support/client/simulated-provider.ts";

const K = 4;
const { header } = planRecord({ sizeBytes: 16 * 4096, k: K, n: 8, cellBytes: 4096 });
const WANT = [0, 1, 2, 3];
const CELL_MS = 10;
const BEHIND_MS = 30_000;

/** Providers of a deal, of which each takes as many milliseconds for a read as `msOf` says; for ever without an answer. */
function network(msOf: (slotIndex: number) => number | undefined) {
  const clock = new HandClock();
  const pace = createReadPace(LIMITS_DEFAULT);
  const stragglers = createStragglers(clock);
  const asked: number[] = [];
  const overtaken: [slotIndex: number, waitedMs: number][] = [];
  const newReader = () =>
    createRowReader({
      ...{ dealId: "0x", header, slots: [0, 1, 2, 3, 4, 5, 6, 7], providerOf: (slotIndex: number) => slotIndex + 1 },
      ...{ room: createRoom(), limits: LIMITS_DEFAULT, clock, log: silentLog, pace, stragglers },
      onOvertaken: (...who) => void overtaken.push(who),
      readCells: async (slotIndex, _firstRow, rowCount, signal) => {
        asked.push(slotIndex);
        const ms = msOf(slotIndex);
        await (ms === undefined ? standStill(signal) : clock.sleep(ms, signal));
        return new Uint8Array(rowCount * header.cellBytes).fill(slotIndex);
      },
    });
  /** Slots that a batch came from, and how long it took. */
  const read = async (reader = newReader(), row = 0) => {
    const { result, ms } = await clock.timed(reader.readRows(row, 1, WANT));
    return { slots: [...result.keys()].sort(), ms };
  };
  return { clock, pace, stragglers, asked, overtaken, newReader, read };
}

describe("a batch of rows", () => {
  it("asks the wanted slots alone while they are well", async () => {
    const { read, asked } = network(() => CELL_MS);
    expect(await read()).to.deep.equal({ slots: WANT, ms: CELL_MS });
    expect(asked).to.deep.equal(WANT);
  });

  it("does without a provider that stands still once the others have brought theirs, on the very first read", async () => {
    const { read, overtaken } = network((slotIndex) => (slotIndex === 2 ? undefined : CELL_MS));
    const { slots, ms } = await read();
    expect(slots).to.deep.equal([0, 1, 3, 4]);
    expect(ms).to.be.within(PATIENCE_MIN_MS + 2 * CELL_MS, PATIENCE_MIN_MS + 2 * CELL_MS + 2);
    expect(overtaken).to.deep.equal([[2, ms]]);
  });

  it("judges a spare from when it was asked, whatever its batch has waited for before", async () => {
    const { clock, newReader, asked, stragglers } = network((slotIndex) => (slotIndex === 2 ? undefined : CELL_MS));
    const reader = newReader();
    const batches = [0, 1].map((row) => reader.readRows(row, 1, WANT));
    await clock.timed(Promise.all(batches));
    expect(asked.length, "four each, and two spares").to.equal(12);
    expect([1, 2, 3, 4, 5, 6].filter((providerId) => stragglers.isBehind(providerId))).to.deep.equal([3]);
  });

  it("waits for who is far away as long as it always takes, and asks no spare for it", async () => {
    const { newReader, read, asked } = network((slotIndex) => (slotIndex < 2 ? 15 : 180));
    const reader = newReader();
    await read(reader);
    asked.length = 0;
    for (const row of [1, 2, 3]) await read(reader, row);
    expect(asked.length).to.equal(3 * K);
  });

  it("is as patient as the others were slow", async () => {
    const { read } = network((slotIndex) => [800, 900, 1_700, 1_000, 50][slotIndex] ?? 50);
    expect(await read()).to.deep.equal({ slots: WANT, ms: 1_700 });
  });

  it("asks one spare more than is missing, for whoever stands still has company", async () => {
    const { read, asked } = network((slotIndex) => (slotIndex === 2 || slotIndex === 4 ? undefined : CELL_MS));
    const { slots, ms } = await read();
    expect(slots).to.deep.equal([0, 1, 3, 5]);
    expect(ms).to.be.at.most(PATIENCE_MIN_MS + 2 * CELL_MS + 2);
    expect(asked).to.deep.equal([0, 1, 2, 3, 4, 5]);
  });

  it("takes what comes late all the same, and holds nothing against who brought it", async () => {
    const { read, overtaken, stragglers } = network((slotIndex) => [CELL_MS, CELL_MS, CELL_MS, 60][slotIndex]);
    expect((await read()).slots).to.deep.equal(WANT);
    expect([overtaken, stragglers.isBehind(4)]).to.deep.equal([[], false]);
  });

  it("learns from another batch that a provider is late", async () => {
    const { clock, newReader, asked } = network((slotIndex) => (slotIndex === 2 ? undefined : CELL_MS));
    const reader = newReader();
    const first = reader.readRows(0, 1, WANT);
    await clock.pass(25);
    const second = reader.readRows(1, 1, WANT);
    // Of the second batch alone nobody would be late yet.
    await clock.pass(PATIENCE_MIN_MS - 5);
    expect(asked.filter((slotIndex) => slotIndex === 4).length).to.equal(2);
    await clock.pass(CELL_MS);
    expect((await Promise.all([first, second])).map((slots) => [...slots.keys()].includes(4))).to.deep.equal([true, true]);
  });
});

describe("a provider that was overtaken", () => {
  const isIll = (slotIndex: number): number | undefined => (slotIndex === 2 ? undefined : CELL_MS);

  it("is not asked first by the next reads, twice as long each time, until it serves again", async () => {
    let isWell = false;
    const { clock, read, asked } = network((slotIndex) => (isWell ? CELL_MS : isIll(slotIndex)));
    const asksIt = async (): Promise<boolean> => {
      asked.length = 0;
      await read();
      return asked.includes(2);
    };
    expect(await asksIt()).to.equal(true);
    for (const times of [1, 2, 4]) {
      expect(await asksIt()).to.equal(false);
      await clock.pass(times * BEHIND_MS - 1_000);
      expect(await asksIt(), `${times} times as long`).to.equal(false);
      await clock.pass(1_000);
      expect(await asksIt()).to.equal(true);
    }
    await clock.pass(8 * BEHIND_MS);
    isWell = true;
    expect(await asksIt()).to.equal(true);
    isWell = false;
    expect(await asksIt()).to.equal(true);
    await clock.pass(BEHIND_MS);
    expect(await asksIt(), "counted anew").to.equal(true);
  });

  it("is given the time to connect anew when it is asked again", async () => {
    let isIll = false;
    let isCold = false;
    const { clock, read, stragglers } = network((slotIndex) => {
      if (slotIndex !== 2) return 20;
      return isIll ? undefined : isCold ? 80 : 20;
    });
    await read();
    isIll = true;
    await read();
    expect(stragglers.isBehind(3)).to.equal(true);
    [isIll, isCold] = [false, true];
    await clock.pass(BEHIND_MS);
    expect(stragglers.isReturning(3)).to.equal(true);
    expect((await read()).slots).to.deep.equal(WANT);
    expect([stragglers.isBehind(3), stragglers.isReturning(3)]).to.deep.equal([false, false]);
  });

  it("is asked first when all are behind and its slot is the wanted one", async () => {
    const { clock, newReader, stragglers, asked } = network(() => CELL_MS);
    for (let providerId = 1; providerId <= 8; providerId += 1) stragglers.late(providerId);
    const { result } = await clock.timed(newReader().readRows(0, 1, [3]));
    expect([asked.includes(3), result.has(3)]).to.deep.equal([true, true]);
  });

  it("is asked when too few others are left", async () => {
    const { stragglers, read } = network((slotIndex) => (slotIndex < K ? CELL_MS : undefined));
    for (const providerId of [1, 2]) stragglers.late(providerId);
    expect((await read()).slots).to.deep.equal(WANT);
  });
});

describe("the pace of reads", () => {
  it("is what the newest took, in proportion for larger ones, and a guess before there are any", () => {
    const pace = createReadPace({ hedgeMs: 1_234 });
    for (let at = 0; at < 4; at += 1) {
      expect(pace.lateAfterMs(1_000)).to.equal(1_234);
      pace.took(at, 1_000, 40);
    }
    expect([1, 1_000, 3_000].map((bytes) => pace.lateAfterMs(bytes))).to.deep.equal([80, 80, 240]);
    for (let at = 0; at < 64; at += 1) pace.took(at, 1_000, 1);
    expect(pace.lateAfterMs(1_000)).to.equal(PATIENCE_MIN_MS);
    // One in 64 is no measure.
    pace.took(1, 1_000, 9_000);
    expect(pace.lateAfterMs(1_000)).to.equal(PATIENCE_MIN_MS);
  });

  it("judges a read that nothing else runs beside", async () => {
    const { clock, pace, newReader, asked } = network((slotIndex) => (slotIndex === 0 ? undefined : CELL_MS));
    for (let at = 0; at < 8; at += 1) pace.took(7, header.cellBytes, 45);
    const { result, ms } = await clock.timed(newReader().readRows(0, 1, [0]));
    expect([result.has(0), asked]).to.deep.equal([false, [0, 1, 2, 3, 4, 5]]);
    expect(ms).to.be.within(90 + CELL_MS, 90 + CELL_MS + 2);
  });

  it("is not what a failure took", async () => {
    const { clock, pace, stragglers, asked } = network(() => CELL_MS);
    const reader = createRowReader({
      ...{ dealId: "0x", header, slots: [0, 1, 2, 3, 4], providerOf: (slotIndex: number) => slotIndex },
      ...{ room: createRoom(), limits: LIMITS_DEFAULT, clock, log: silentLog, pace, stragglers },
      readCells: async (slotIndex) => {
        asked.push(slotIndex);
        if (slotIndex === 1) throw new PpioError("REFUSED", "no");
        return new Uint8Array(header.cellBytes);
      },
    });
    const { result } = await clock.timed(reader.readRows(0, 1, WANT));
    expect([...result.keys()].sort()).to.deep.equal([0, 2, 3, 4]);
    expect(stragglers.isBehind(1)).to.equal(false);
  });
});
