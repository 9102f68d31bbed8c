/** Reads of a deal whose slots are fast, slow, silent, broken or lying, in any mixture: whatever k of them are good, every batch succeeds. */
import { cellLength, isPpioError, PpioError, planRecord } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";
import { silentLog } from "../../client/dist/deps.js";
import { createReadPace } from "../../client/dist/get/read-pace.js";
import { createRoom } from "../../client/dist/get/room.js";
import { createRowReader } from "../../client/dist/get/row-reader.js";
import { LIMITS_DEFAULT } from "../../client/dist/limits.js";
import { createStragglers } from "../../client/dist/providers/stragglers.js";
import { HandClock } from "../support/client/hand-clock.ts";
import { standStill } from "../support/client/simulated-provider.ts";

const CELL_BYTES = 4096;
const ROWS = 2;
const HEALTH_MS = [0, 1, 5, 10, 40, 200, 1_500, 5_000];
const ILLNESSES = ["silent", "deaf", "slow", "gone", "refusing", "lying", "cut", "odd"] as const;

/** Of `k + more` slots `k` are good, by `order`; the others are ill, each time in another way. */
const scene = fc.record({
  k: fc.constantFrom(1, 2, 4, 10),
  more: fc.constantFrom(0, 1, 2, 6),
  order: fc.infiniteStream(fc.nat()),
  ms: fc.infiniteStream(fc.constantFrom(...HEALTH_MS)),
  ills: fc.infiniteStream(fc.constantFrom(...ILLNESSES)),
  marks: fc.infiniteStream(fc.constantFrom("none", "none", "none", "behind", "last")),
  wants: fc.infiniteStream(fc.boolean()),
  batches: fc.constantFrom(1, 2, 3, 5),
  abortAtMs: fc.option(fc.nat(4_000), { nil: undefined, freq: 3 }),
});

const next = <T>(stream: Iterator<T>): T => stream.next().value as T;

async function fails(ill: (typeof ILLNESSES)[number], clock: HandClock, signal: AbortSignal): Promise<void> {
  switch (ill) {
    case "silent":
      return standStill(signal);
    case "deaf":
      return new Promise<never>(() => {});
    case "slow":
      return clock.sleep(8_000, signal);
    case "gone":
      throw new PpioError("NETWORK", "gone");
    case "refusing":
      throw new PpioError("REFUSED", "no");
    case "lying":
      throw new PpioError("CORRUPT", "lie");
    case "cut":
      await clock.sleep(3_000, signal);
      throw new PpioError("TRUNCATED", "cut");
    case "odd":
      throw new TypeError("odd");
  }
}

describe("batches of rows, in any weather", () => {
  it("succeed with k good slots, ask nobody twice at once, and leave nothing behind when they are given up", async () => {
    await fc.assert(
      fc.asyncProperty(scene, async ({ k, more, order, ms, ills, marks, wants, batches, abortAtMs }) => {
        const n = k + more;
        const { header } = planRecord({ sizeBytes: 16 * k * CELL_BYTES, k, n, cellBytes: CELL_BYTES });
        const clock = new HandClock();
        const stragglers = createStragglers(clock);
        const slots = Array.from({ length: n }, (_, slotIndex) => ({ slotIndex, at: next(order) }))
          .sort((a, b) => a.at - b.at)
          .map(({ slotIndex }) => slotIndex);
        const good = new Set(slots.slice(0, k));
        const lastResort = new Set<number>();
        for (const slotIndex of slots) {
          const mark = next(marks);
          if (mark === "behind") stragglers.late(slotIndex);
          if (mark === "last") lastResort.add(slotIndex);
        }
        const asking = new Set<string>();
        const reader = createRowReader({
          ...{ dealId: "0x", header, slots: slots.toReversed(), lastResort, providerOf: (slotIndex: number) => slotIndex, stragglers },
          ...{ room: createRoom(), limits: LIMITS_DEFAULT, clock, log: silentLog, pace: createReadPace(LIMITS_DEFAULT) },
          readCells: async (slotIndex, firstRow, rowCount, signal) => {
            const question = `${slotIndex}/${firstRow}`;
            expect(asking.has(question), `asked twice: ${question}`).to.equal(false);
            asking.add(question);
            try {
              await (good.has(slotIndex) ? clock.sleep(next(ms), signal) : fails(next(ills), clock, signal));
            } finally {
              asking.delete(question);
            }
            return new Uint8Array((rowCount - 1) * CELL_BYTES + cellLength(header, firstRow + rowCount - 1)).fill(slotIndex);
          },
        });
        const want = Array.from({ length: k }, (_, slotIndex) => slotIndex).filter((slotIndex) => slotIndex === 0 || next(wants));
        const abort = new AbortController();
        const read = async (at: number): Promise<void> => {
          const got = await reader.readRows(at * ROWS, ROWS, want, abort.signal).catch((error: unknown) => {
            if (abort.signal.aborted && isPpioError(error, "CANCELLED")) return undefined;
            throw error;
          });
          if (got === undefined) return;
          expect(want.every((slotIndex) => got.has(slotIndex)) || got.size >= k).to.equal(true);
          for (const [slotIndex, bytes] of got) expect(bytes[0]).to.equal(slotIndex);
        };
        const reading = Promise.all(Array.from({ length: batches }, (_, at) => read(at)));
        reading.catch(() => {});
        if (abortAtMs !== undefined) {
          await clock.pass(abortAtMs);
          abort.abort();
        }
        const { ms: tookMs } = await clock.timed(reading, 120_000);
        if (abortAtMs !== undefined) expect(tookMs).to.be.at.most(1);
        await clock.pass(0);
        expect(clock.sleeperCount, "timers that are left").to.equal(0);
      }),
      { numRuns: 150 },
    );
  }).timeout(60_000);
});
