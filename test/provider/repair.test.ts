/** The parts of repair: whose turn it is, whether it pays, reading any k once, rebuilding within bounds, plans and vacancies that survive. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createErasureCoder, type DealHeader, PpioError, slotBytes } from "@ppio/core";
import { type ChainConnection, createLogger } from "@ppio/daemon";
import { expect } from "chai";
import fc from "fast-check";
import { Pace } from "../../provider/dist/repair/pace.js";
import { Plans } from "../../provider/dist/repair/plans.js";
import { expectedGainWei, expectedSeconds, liveSlotsWanted } from "../../provider/dist/repair/policy.js";
import { rebuild, stepBytesOf } from "../../provider/dist/repair/rebuild.js";
import { type Source, Sources } from "../../provider/dist/repair/sources.js";
import type { Target } from "../../provider/dist/repair/target.js";
import { turnDelayMs } from "../../provider/dist/repair/turn.js";
import { Vacancies } from "../../provider/dist/repair/vacancies.js";
import { codeOf } from "../support/code-of.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const log = createLogger({ component: "test", write: () => undefined });
const never = new AbortController().signal;
const noSleep = async (): Promise<void> => undefined;
const HEADER: DealHeader = { k: 3, n: 6, cellBytes: 4_096, lastCellBytes: 640, rows: 9 };
const TOTAL = slotBytes(HEADER);
const dealId = `0x${"ab".repeat(32)}`;

/** All n slots of a deal. */
function slotsOf(header: DealHeader): Uint8Array[] {
  const bytes = (at: number): Uint8Array => Uint8Array.from({ length: slotBytes(header) }, (_, byte) => (byte * 7 + at * 131) & 0xff);
  const data = Array.from({ length: header.k }, (_, at) => bytes(at));
  const coded = Array.from({ length: header.n - header.k }, () => new Uint8Array(slotBytes(header)));
  createErasureCoder(header).encode(data, coded);
  return [...data, ...coded];
}

interface Wire {
  readonly slots: readonly Uint8Array[];
  /** Bytes that each slot gave. */
  readonly read: Map<number, number>;
  /** What a slot fails with, from an offset on. */
  readonly failing: Map<number, { readonly from: number; readonly error: Error }>;
}

function sourcesOn(wire: Wire, slotIndices: readonly number[]): Sources {
  const sources = slotIndices.map(
    (slotIndex): Source => ({
      slotIndex,
      providerId: slotIndex + 1,
      read: async (offset, length) => {
        const failure = wire.failing.get(slotIndex);
        if (failure !== undefined && offset >= failure.from) throw failure.error;
        wire.read.set(slotIndex, (wire.read.get(slotIndex) ?? 0) + length);
        return wire.slots[slotIndex]?.slice(offset, offset + length) ?? new Uint8Array();
      },
    }),
  );
  return new Sources({ k: HEADER.k, sources, log, sleep: noSleep });
}

interface Taken extends Target {
  readonly bytes: Uint8Array;
  taken: number;
}

function target(slotIndex: number, options: { readonly has?: Uint8Array; readonly failsAt?: number } = {}): Taken {
  const { has = new Uint8Array(), failsAt = Number.POSITIVE_INFINITY } = options;
  const bytes = new Uint8Array(TOTAL);
  bytes.set(has);
  const unused = (): Promise<never> => Promise.reject(new Error("not asked for here"));
  const slot = {
    slotIndex,
    root: new Uint8Array(32),
    providerId: 1,
    payPerPeriodWei: 1n,
    collateralWei: 1n,
    vacantFrom: 1,
    state: "reserved",
  } as const;
  const self: Taken = {
    slot,
    providerId: 50 + slotIndex,
    bytes,
    taken: has.length,
    open: async () => self.taken,
    put: async (offset, piece) => {
      if (offset + piece.length > failsAt) throw new PpioError("NO_SPACE", "full");
      if (offset > self.taken) throw new Error("a gap");
      bytes.set(piece, offset);
      self.taken = Math.max(self.taken, offset + piece.length);
    },
    finish: unused,
    leafProof: unused,
    drop: async () => undefined,
  };
  return self;
}

describe("repair", () => {
  after(() => removeTemporaryFolders());

  describe("turns", () => {
    it("are the same for all who compute them, differ by provider, slot and period, and are over within half a period", () => {
      const turn = { dealId, slotIndex: 1, providerId: 7, period: 9 };
      expect(turnDelayMs(turn, 10, 3_600)).to.equal(turnDelayMs({ ...turn }, 10, 3_600));
      const others = [
        { ...turn, slotIndex: 2 },
        { ...turn, providerId: 8 },
        { ...turn, period: 10 },
      ];
      expect(new Set([turn, ...others].map((one) => turnDelayMs(one, 10, 3_600))).size).to.equal(4);
      for (let providerId = 1; providerId <= 200; providerId += 1) {
        expect(turnDelayMs({ ...turn, providerId }, 200, 10)).to.be.within(0, 5_000);
        expect(turnDelayMs({ ...turn, providerId }, 200, 3_600)).to.be.within(0, 200_000);
      }
    });

    it("are spread: of a hundred providers few have theirs at the same time as the first", () => {
      const delays = Array.from({ length: 100 }, (_, at) =>
        turnDelayMs({ dealId, slotIndex: 0, providerId: at + 1, period: 3 }, 100, 3_600),
      );
      const first = Math.min(...delays);
      expect(delays.filter((delay) => delay < first + 2_000).length).to.be.at.most(8);
    });
  });

  describe("policy", () => {
    it("wants all slots at 100 %, and never fewer than k and some spares", () => {
      expect(liveSlotsWanted({ k: 10, n: 16 }, 100)).to.equal(16);
      expect(liveSlotsWanted({ k: 10, n: 16 }, 75)).to.equal(15);
      expect(liveSlotsWanted({ k: 20, n: 50 }, 50)).to.equal(35);
      expect(liveSlotsWanted({ k: 2, n: 4 }, 1)).to.equal(3);
    });

    it("counts premium and own pay against what falls off the bond", () => {
      const gain = { premiumWei: 100n, bondWei: 1_200n, reservationSeconds: 120, expectedSeconds: 12, ownPayWei: 0n };
      expect(expectedGainWei(gain)).to.equal(100n - 120n);
      expect(expectedGainWei({ ...gain, ownPayWei: 21n })).to.equal(1n);
      expect(expectedGainWei({ ...gain, expectedSeconds: 10_000 }), "no more than the bond").to.equal(100n - 1_200n);
      expect(expectedSeconds({ ...HEADER, k: 4 }, 2, 4 * TOTAL)).to.equal(16);
    });
  });

  describe("pace", () => {
    it("lets the first pass, holds the next up by its bytes, and serves in the order of asking", async () => {
      let nowMs = 0;
      const waited: number[] = [];
      const wait = async (ms: number): Promise<void> => void waited.push(ms);
      const pace = new Pace({ bytesPerSecond: 1_000, now: () => nowMs, wait });
      await pace.take(500, never);
      await pace.take(2_000, never);
      await pace.take(1, never);
      expect(waited).to.deep.equal([500, 2_500]);
      nowMs = 60_000;
      await pace.take(1, never);
      expect(waited.length, "what was not used is not saved").to.equal(2);
    });
  });

  describe("sources", () => {
    const wireOf = (): Wire => ({ slots: slotsOf(HEADER), read: new Map(), failing: new Map() });

    it("are the same k as long as they answer", async () => {
      const wire = wireOf();
      const sources = sourcesOn(wire, [0, 2, 3, 4, 5]);
      for (let offset = 0; offset < TOTAL; offset += 640) await sources.read(offset, Math.min(640, TOTAL - offset), never);
      expect([...wire.read]).to.deep.equal([0, 2, 3].map((slot) => [slot, TOTAL]));
    });

    it("are replaced from where they fail on, so that nothing is read twice", async () => {
      const wire = wireOf();
      wire.failing.set(2, { from: 1_280, error: new PpioError("CORRUPT", "lied") });
      const sources = sourcesOn(wire, [0, 2, 3, 4]);
      for (let offset = 0; offset < TOTAL; offset += 640) await sources.read(offset, Math.min(640, TOTAL - offset), never);
      expect([...wire.read.values()].reduce((sum, bytes) => sum + bytes, 0)).to.equal(3 * TOTAL);
      expect(wire.read.get(2)).to.equal(1_280);
      expect(wire.read.get(4)).to.equal(TOTAL - 1_280);
    });

    it("get another chance when only the wire failed, and a liar none", async () => {
      const wire = wireOf();
      wire.failing.set(0, { from: 0, error: new PpioError("NETWORK", "gone for a moment") });
      let pauses = 0;
      const sources = new Sources({
        k: 2,
        log,
        sources: [0, 2].map((slotIndex) => ({
          slotIndex,
          providerId: slotIndex,
          read: async (offset, length) => {
            const failure = wire.failing.get(slotIndex);
            if (failure !== undefined) throw failure.error;
            return wire.slots[slotIndex]?.slice(offset, offset + length) ?? new Uint8Array();
          },
        })),
        sleep: async () => {
          pauses += 1;
          wire.failing.delete(0);
        },
      });
      expect([...(await sources.read(0, 128, never)).keys()].sort()).to.deep.equal([0, 2]);
      expect(pauses).to.equal(1);
      wire.failing.set(2, { from: 0, error: new PpioError("CORRUPT", "lied") });
      expect(await codeOf(sources.read(128, 128, never))).to.equal("UNRECOVERABLE");
      expect(pauses, "a liar is not waited for").to.equal(1);
    });
  });

  describe("rebuilding", () => {
    const run = (wire: Wire, live: readonly number[], targets: readonly Target[], change: Partial<Parameters<typeof rebuild>[0]> = {}) => {
      const pace = new Pace({ bytesPerSecond: 1e9, now: () => 0, wait: noSleep });
      const options = { header: HEADER, sources: sourcesOn(wire, live), targets, pace, log, now: () => 0, deadlineMs: 60_000, ...change };
      return rebuild(options, never);
    };

    it("gives any m lost slots their bytes again out of any k others, each read once", async () => {
      const slots = slotsOf(HEADER);
      const lostSlots = fc.uniqueArray(fc.integer({ min: 0, max: HEADER.n - 1 }), { minLength: 1, maxLength: HEADER.n - HEADER.k });
      await fc.assert(
        fc.asyncProperty(lostSlots, async (lost) => {
          const wire: Wire = { slots, read: new Map(), failing: new Map() };
          const live = slots.map((_, at) => at).filter((at) => !lost.includes(at));
          const targets = lost.map((slot) => target(slot));
          expect(await run(wire, live, targets)).to.have.lengthOf(lost.length);
          for (const one of targets) expect(Buffer.from(one.bytes).equals(slots[one.slot.slotIndex] ?? new Uint8Array())).to.equal(true);
          expect([...wire.read.values()].reduce((sum, bytes) => sum + bytes, 0)).to.equal(HEADER.k * TOTAL);
        }),
        { numRuns: 20 },
      );
    });

    it("goes on where the one stands that has least, and leaves one behind that fails", async () => {
      const slots = slotsOf(HEADER);
      const wide = { ...HEADER, cellBytes: 4_096 };
      const wire: Wire = { slots, read: new Map(), failing: new Map() };
      const [behind, ahead, failing] = [
        target(1),
        target(4, { has: slots[4]?.slice(0, 5_000) ?? new Uint8Array() }),
        target(5, { failsAt: 0 }),
      ];
      const done = await run(wire, [0, 2, 3], [behind, ahead, failing], { header: wide });
      expect(done.map(({ slot }) => slot.slotIndex)).to.deep.equal([1, 4]);
      for (const one of done)
        expect(Buffer.from((one as Taken).bytes).equals(slots[one.slot.slotIndex] ?? new Uint8Array())).to.equal(true);
    });

    it("reads nothing of what all have already", async () => {
      const slots = slotsOf(HEADER);
      const wire: Wire = { slots, read: new Map(), failing: new Map() };
      expect(await run(wire, [0, 2, 3], [target(1, { has: slots[1] ?? new Uint8Array() })])).to.have.lengthOf(1);
      expect(wire.read.size).to.equal(0);
    });

    it("is given up when nobody takes the slots, when too few can be read, and when time will not suffice", async () => {
      const wire = (): Wire => ({ slots: slotsOf(HEADER), read: new Map(), failing: new Map() });
      expect(await codeOf(run(wire(), [0, 2, 3], [target(1, { failsAt: 0 })]))).to.equal("REFUSED");
      expect(await codeOf(run(wire(), [0, 2], [target(1)]))).to.equal("UNRECOVERABLE");
      // A cell of 1 MiB takes many steps, and each takes ten seconds here.
      const header = { k: 1, n: 2, cellBytes: 1 << 20, lastCellBytes: 1 << 20, rows: 64 };
      let nowMs = 0;
      const take = async (): Promise<void> => {
        nowMs += 10_000;
      };
      const slow = rebuild(
        {
          header,
          sources: new Sources({
            k: 1,
            sources: [{ slotIndex: 0, providerId: 1, read: async (_offset, length) => new Uint8Array(length) }],
            log,
            sleep: noSleep,
          }),
          targets: [{ ...target(1), put: take }],
          pace: new Pace({ bytesPerSecond: 1e9, now: () => 0, wait: noSleep }),
          log,
          now: () => nowMs,
          deadlineMs: 120_000,
        },
        never,
      );
      expect(await codeOf(slow)).to.equal("TIMEOUT");
      expect(nowMs, "early").to.be.at.most(20_000);
    });

    it("holds at most 8 MiB of slots, whatever the code and the cell", () => {
      const shapes = fc.record({
        n: fc.integer({ min: 2, max: 128 }),
        log2: fc.integer({ min: 12, max: 20 }),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      });
      fc.assert(
        fc.property(shapes, ({ n, log2, share }) => {
          const k = 1 + Math.floor(share * (n - 2));
          const cellBytes = 2 ** log2;
          const targets = n - k;
          const step = stepBytesOf({ k, n, cellBytes, lastCellBytes: 128, rows: 2 }, targets);
          expect(step * (k + targets)).to.be.at.most(8 << 20);
          expect(step % 128).to.equal(0);
          expect(step >= cellBytes ? step % cellBytes : cellBytes % step).to.equal(0);
        }),
      );
    });
  });

  describe("plans", () => {
    it("are found by the next process, and one that is damaged is forgotten", async () => {
      const dir = join(await temporaryFolder(), "repairs");
      const plan = { version: 1, dealId, slots: [{ slotIndex: 1, providerId: 7 }], attempt: "a" } as const;
      const plans = await Plans.open(dir);
      await plans.save(plan);
      expect(await plans.has(dealId)).to.equal(true);
      await writeFile(join(dir, `0x${"cd".repeat(32)}.json`), "{");
      await writeFile(join(dir, `0x${"ef".repeat(32)}.json`), JSON.stringify({ ...plan, slots: [{}] }));
      const again = await Plans.open(dir);
      expect(await again.all(log)).to.deep.equal([plan]);
      await again.remove(dealId);
      expect(await (await Plans.open(dir)).all(log)).to.deep.equal([]);
    });
  });

  describe("vacancies", () => {
    interface Event {
      readonly blockNumber: number;
      readonly args: { readonly dealId?: string; readonly providerId?: number };
    }
    const chainOf = (state: { latest: number; vacated: Event[]; evicted: Event[]; filled: Event[] }): ChainConnection => {
      const within = (events: readonly Event[], from: number, to: number) =>
        events.filter((event) => event.blockNumber >= from && event.blockNumber <= to);
      return {
        book: { fromBlock: 0 },
        rpc: { getBlockNumber: async () => state.latest },
        market: {
          filters: { SlotVacated: () => "vacated", SlotFilled: () => "filled" },
          queryFilter: async (filter: string, from: number, to: number) =>
            within(filter === "vacated" ? state.vacated : state.filled, from, to),
        },
        registry: {
          filters: { ProviderEvicted: () => "" },
          queryFilter: async (_: string, from: number, to: number) => within(state.evicted, from, to),
        },
      } as unknown as ChainConnection;
    };

    it("are the deals of lost slots and of evicted providers, until the chain says that they are over", async () => {
      const state = {
        latest: 100,
        vacated: [{ blockNumber: 10, args: { dealId: "a" } }] as Event[],
        evicted: [{ blockNumber: 12, args: { providerId: 3 } }] as Event[],
        filled: [{ blockNumber: 5, args: { dealId: "b" } }] as Event[],
      };
      const vacancies = new Vacancies(chainOf(state));
      await vacancies.refresh();
      expect([...vacancies.deals()].sort()).to.deep.equal(["a", "b"]);
      vacancies.forget("a");
      vacancies.forget("b");
      await vacancies.refresh();
      expect(vacancies.deals()).to.deep.equal([]);
      state.latest = 120;
      state.vacated.push({ blockNumber: 115, args: { dealId: "a" } });
      await vacancies.refresh();
      expect(vacancies.deals(), "lost once more").to.deep.equal(["a"]);
    });

    it("are not forgotten while a reorganisation may yet change them, and gone when one takes them back", async () => {
      const state = {
        latest: 100,
        vacated: [{ blockNumber: 90, args: { dealId: "a" } }] as Event[],
        evicted: [] as Event[],
        filled: [] as Event[],
      };
      const vacancies = new Vacancies(chainOf(state));
      await vacancies.refresh();
      vacancies.forget("a");
      expect(vacancies.deals()).to.deep.equal(["a"]);
      state.vacated = [];
      await vacancies.refresh();
      expect(vacancies.deals()).to.deep.equal([]);
      state.vacated = [{ blockNumber: 95, args: { dealId: "a" } }];
      await vacancies.refresh();
      expect(vacancies.deals(), "mined again").to.deep.equal(["a"]);
    });
  });
});
