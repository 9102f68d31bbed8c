/** The oracle's duties against a chain made of plain values: what is sent, in which order, and what is left alone. */
import { PpioError } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { expect } from "chai";
import { encodeRlp, keccak256, toBeHex } from "ethers";
import type { OracleContext } from "../../oracle/dist/context.js";
import { createOracleMetrics } from "../../oracle/dist/metrics.js";
import { Turns, turnDelayMs } from "../../oracle/dist/turns.js";
import { closeNextDeal } from "../../oracle/dist/work/close.js";
import { createMissState, forgetMisses, reportNextMiss } from "../../oracle/dist/work/misses.js";
import { relayDueRound } from "../../oracle/dist/work/relay.js";
import { settleNextDeal } from "../../oracle/dist/work/settle.js";
import { markNextVoid } from "../../oracle/dist/work/voids.js";

const LENGTH = 10;

interface FakeChain {
  current: number;
  timestamp: number;
  known: Set<number>;
  proven: Set<string>;
  voids: Set<number>;
  evicted: Set<number>;
  finalBefore: number;
  slots: { dealId: string; slotIndex: number; providerId: number; from: number; until: number }[];
  /** Periods marked void on the chain. */
  marked: Set<number>;
  refuse?: string;
  /** What only the pending block knows: rounds, and cursors of providers. */
  pending: { rounds: Set<number>; cursor?: number };
  /** Seconds between the last block before and the first one after this time. */
  halt?: { at: number; seconds: number };
  isMyTurn: boolean;
  /** Period in which reports were opened last; the current one unless given. */
  reportsOpen?: number;
  /** Duties whose turn was asked for. */
  waitedFor: string[];
  /** Slots without a holder: state of each, by deal and slot. */
  vacant: Record<string, Record<number, bigint>>;
  /** When deals end. */
  ends: Record<string, number>;
}

/** A block every second, except in the halt. */
function blocksOf({ timestamp, halt }: FakeChain): number[] {
  return Array.from({ length: timestamp + 1 }, (_, time) => time).filter(
    (time) => halt === undefined || time <= halt.at || time >= halt.at + halt.seconds,
  );
}

function makeContext(fake: FakeChain): { context: OracleContext; sent: string[] } {
  const sent: string[] = [];
  const byProvider = (): Map<number, typeof fake.slots> => {
    const groups = new Map<number, typeof fake.slots>();
    for (const slot of fake.slots) groups.set(slot.providerId, [...(groups.get(slot.providerId) ?? []), slot]);
    return groups;
  };
  const forget = (slot: (typeof fake.slots)[number]): void => {
    fake.slots = fake.slots.filter((candidate) => candidate !== slot);
  };
  const encode = { encodeFunctionData: (name: string, args: unknown[]) => `${name}(${args.map(String).join(" ")})` };
  const chain = {
    book: { beacon: "beacon", proofs: "proofs", market: "market" },
    rpc: {
      getBlock: async () => ({ timestamp: fake.timestamp }),
      getBlockNumber: async () => blocksOf(fake).length - 1,
      send: async (_method: string, [number]: [string]) => {
        const block = { number, timestamp: `0x${(blocksOf(fake)[Number(number)] ?? 0).toString(16)}` };
        return { ...block, hash: keccak256(encodeRlp([BigInt(number) === 0n ? "0x" : toBeHex(number), rlpNumber(block.timestamp)])) };
      },
    },
    proofs: {
      interface: encode,
      currentPeriod: async () => BigInt(fake.current),
      periodOf: async () => BigInt(fake.current),
      seedRound: async (period: number) => BigInt(period * LENGTH + 2),
      isVoid: async (period: number) => fake.voids.has(period),
      isProven: async (providerId: number, period: number) => fake.proven.has(`${providerId}/${period}`),
      inventory: async (_id: number, at?: { blockTag: string }) => ({
        cursor: BigInt((at?.blockTag === "pending" ? fake.pending.cursor : undefined) ?? 1),
      }),
      periodSeconds: async () => BigInt(LENGTH),
      periodBounds: async (period: number) => [BigInt((period - 1) * LENGTH), BigInt(period * LENGTH)],
      reportWindowPeriods: async () => 30n,
      reportDelayBlocks: async () => 1n,
      reportsOpen: async () => ({ period: BigInt(fake.reportsOpen ?? fake.current), blockNumber: 5n }),
      finalBefore: async () => BigInt(fake.finalBefore),
    },
    beacon: {
      interface: encode,
      timeOfRound: async (round: bigint) => round,
      maxLagSeconds: async () => 6n,
      isOnTime: async (round: bigint) => fake.known.has(Number(round)),
      randomness: async (round: bigint, at?: { blockTag: string }) =>
        fake.known.has(Number(round)) || (at?.blockTag === "pending" && fake.pending.rounds.has(Number(round))) ? "0x01" : "0x00",
    },
    registry: { evictedAtPeriod: async (providerId: number) => (fake.evicted.has(providerId) ? 9n : 0n) },
    market: {
      interface: encode,
      slotForProof: async (dealId: string, slotIndex: number) => {
        const slot = fake.slots.find((candidate) => candidate.dealId === dealId && candidate.slotIndex === slotIndex);
        return { payGwei: 1n, fromPeriod: BigInt(slot?.from ?? 0), untilPeriod: BigInt(slot?.until ?? 0) };
      },
      deal: async (dealId: string) => ({ end: BigInt(fake.ends[dealId] ?? 0) }),
      slot: async (dealId: string, slotIndex: number) => {
        const state = fake.vacant[dealId]?.[slotIndex];
        if (state !== undefined) return { status: state, providerId: 0n };
        const slot = fake.slots.find((candidate) => candidate.dealId === dealId && candidate.slotIndex === slotIndex);
        return { status: 1n, providerId: BigInt(slot?.providerId ?? 0) };
      },
    },
  };
  const context = {
    chain,
    sender: {
      send: async (id: string, call: { data: string }) => {
        if (fake.refuse !== undefined) throw new PpioError(fake.refuse as "CHAIN_REVERT", "refused");
        sent.push(`${id} ${call.data}`);
        return { hash: "0x" };
      },
    },
    drand: { signatureOf: async (round: number) => new Uint8Array(signatureBytes(round)) },
    slots: {
      byProvider,
      forget,
      vacancies: () => Object.entries(fake.vacant).map(([dealId, slots]) => [dealId, Object.keys(slots).map(Number)]),
      forgetVacancies: (dealId: string) => {
        delete fake.vacant[dealId];
      },
    },
    voids: { isMarked: (period: number) => fake.marked.has(period) },
    turns: { isMine: (duty: string) => fake.waitedFor.push(duty) > 0 && fake.isMyTurn },
    metrics: createOracleMetrics(),
    log: createLogger({ component: "test", write: () => undefined }),
  };
  return { context: context as unknown as OracleContext, sent };
}

function rlpNumber(value: string): string {
  return BigInt(value) === 0n ? "0x" : toBeHex(BigInt(value));
}

/** A point of the curve: signatureForEvm refuses anything else. The generator of G1, compressed. */
function signatureBytes(_round: number): Uint8Array {
  const hex = "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
  return new Uint8Array(Buffer.from(hex, "hex"));
}

function world(change: Partial<FakeChain> = {}): FakeChain {
  return {
    current: 10,
    timestamp: 95,
    known: new Set(),
    proven: new Set(),
    voids: new Set(),
    evicted: new Set(),
    finalBefore: 9,
    marked: new Set(),
    pending: { rounds: new Set() },
    vacant: {},
    ends: {},
    isMyTurn: true,
    waitedFor: [],
    slots: [{ dealId: "0xd", slotIndex: 0, providerId: 1, from: 6, until: 100 }],
    ...change,
  };
}

describe("relaying", () => {
  it("brings the round of the closed period once it is due", async () => {
    const { context, sent } = makeContext(world());
    expect(await relayDueRound(context)).to.equal(true);
    expect(sent).to.have.length(1);
    expect(sent[0]).to.match(/^beacon\/92 submit\(92 0x/);
  });

  for (const [what, change] of [
    ["is not due", { timestamp: 91 }],
    ["is known", { known: new Set([92]) }],
    ["is too late to count", { voids: new Set([9]) }],
    ["is on its way from another oracle", { pending: { rounds: new Set([92]) } }],
    ["is another oracle's to bring yet", { isMyTurn: false }],
  ] as const) {
    it(`sends nothing when the round ${what}`, async () => {
      const { context, sent } = makeContext(world(change));
      expect(await relayDueRound(context)).to.equal(false);
      expect(sent).to.deep.equal([]);
    });
  }
});

describe("reporting misses", () => {
  const runAll = async (fake: FakeChain): Promise<string[]> => {
    const { context, sent } = makeContext(fake);
    const cursor = createMissState();
    while (await reportNextMiss(context, cursor)) expect(sent.length).to.be.lessThan(50);
    return sent.map((entry) => entry.split(" ")[0] ?? "");
  };

  it("reports in order what was live and neither proven nor void", async () => {
    const fake = world({ proven: new Set(["1/7"]) });
    expect(await runAll(fake)).to.deep.equal(["miss/1/6", "miss/1/8"]);
    expect(await runAll(world({ voids: new Set([6, 8]) }))).to.deep.equal(["miss/1/7"]);
  });

  it("leaves alone providers that are evicted or have nothing live", async () => {
    expect(await runAll(world({ evicted: new Set([1]) }))).to.deep.equal([]);
    expect(await runAll(world({ slots: [{ dealId: "0xd", slotIndex: 0, providerId: 1, from: 9, until: 100 }] }))).to.deep.equal([]);
  });

  it("goes on to other providers when one miss is refused, and looks again at what the chain says", async () => {
    const slots = [1, 2].map((providerId) => ({ dealId: "0xd", slotIndex: providerId, providerId, from: 8, until: 100 }));
    const fake = world({ slots, refuse: "CHAIN_REVERT" });
    const { context, sent } = makeContext(fake);
    const state = createMissState();
    expect(await reportNextMiss(context, state)).to.equal(false);
    delete fake.refuse;
    while (await reportNextMiss(context, state)) expect(sent.length).to.be.lessThan(5);
    expect(sent.map((entry) => entry.split(" ")[0])).to.deep.equal(["miss/1/8", "miss/2/8"]);
  });

  it("sends nothing when it is another one's turn, or another one's report is on its way", async () => {
    expect(await runAll(world({ isMyTurn: false }))).to.deep.equal([]);
    expect(await runAll(world({ pending: { rounds: new Set(), cursor: 9 } }))).to.deep.equal([]);
  });

  it("begins to wait for the miss's turn while the reports are still to be opened", async () => {
    const fake = world({ isMyTurn: false, reportsOpen: 7 });
    await runAll(fake);
    expect(fake.waitedFor).to.include.members(["open-reports/10", "miss/1/6"]);
  });

  it("reports again what a reorganisation took back", async () => {
    const { context, sent } = makeContext(world());
    const state = createMissState();
    while (await reportNextMiss(context, state)) expect(sent.length).to.be.lessThan(9);
    forgetMisses(state);
    expect(await reportNextMiss(context, state)).to.equal(true);
    expect(sent.filter((entry) => entry.startsWith("miss/1/6"))).to.have.length(2);
  });

  it("shows a halt of the chain instead of the misses in it", async () => {
    // Period 7 closes at 70 and could be proven until 80; 6 could until 70.
    const { context, sent } = makeContext(world({ halt: { at: 72, seconds: 7 } }));
    const state = createMissState();
    for (let turn = 0; turn < 2; turn += 1) await reportNextMiss(context, state);
    expect(sent.map((entry) => entry.split(" ")[0])).to.deep.equal(["miss/1/6", "void-halted/7"]);
    expect(sent[1]).to.match(/voidHaltedPeriod\(7 0x[0-9a-f]+ 0x[0-9a-f]+\)/);
  });

  it("reports a miss when no more than half of its time was left out", async () => {
    expect(await runAll(world({ halt: { at: 72, seconds: 5 } }))).to.deep.equal(["miss/1/6", "miss/1/7", "miss/1/8"]);
  });

  it("tries again when the chain was away", async () => {
    const fake = world({ refuse: "CHAIN_UNREACHABLE" });
    const { context, sent } = makeContext(fake);
    const cursor = createMissState();
    await reportNextMiss(context, cursor).catch(() => undefined);
    delete fake.refuse;
    await reportNextMiss(context, cursor);
    expect(sent[0]).to.contain("miss/1/6");
  });
});

describe("settling", () => {
  it("settles the slots of evicted providers and of ended deals, a deal at a time, once", async () => {
    const fake = world({
      evicted: new Set([2]),
      finalBefore: 50,
      slots: [
        { dealId: "0xa", slotIndex: 0, providerId: 1, from: 1, until: 8 },
        { dealId: "0xb", slotIndex: 1, providerId: 1, from: 1, until: 80 },
        { dealId: "0xb", slotIndex: 2, providerId: 2, from: 1, until: 9 },
        { dealId: "0xb", slotIndex: 3, providerId: 2, from: 1, until: 9 },
      ],
    });
    const { context, sent } = makeContext(fake);
    const running = { period: 0, keys: new Set<string>() };
    while (await settleNextDeal(context, running)) expect(sent.length).to.be.lessThan(10);
    expect(sent.map((entry) => entry.split(" ")[0])).to.deep.equal(["settle/0xa/1/0", "settle/0xb/2/2,3"]);
  });

  it("waits until the last period is final", async () => {
    const { context, sent } = makeContext(
      world({ finalBefore: 7, slots: [{ dealId: "0xa", slotIndex: 0, providerId: 1, from: 1, until: 8 }] }),
    );
    expect(await settleNextDeal(context, { period: 0, keys: new Set() })).to.equal(false);
    expect(sent).to.deep.equal([]);
  });
});

describe("closing what nobody held", () => {
  const [VACANT, CLOSED, RESERVED] = [2n, 3n, 5n];
  const start = () => ({ period: 0, keys: new Set<string>() });

  it("closes the vacant slots of a deal that is over, reserved ones too, and leaves deals alone that go on", async () => {
    const fake = world({ ends: { "0xa": 10, "0xb": 11 }, vacant: { "0xa": { 0: VACANT, 1: CLOSED, 3: RESERVED }, "0xb": { 2: VACANT } } });
    const { context, sent } = makeContext(fake);
    const running = start();
    expect(await closeNextDeal(context, running)).to.equal(true);
    expect(sent).to.deep.equal(["close/0xa/0,3 settle(0xa 0,3)"]);
    for (const slotIndex of [0, 3]) (fake.vacant["0xa"] ?? {})[slotIndex] = CLOSED;
    expect(await closeNextDeal(context, running)).to.equal(false);
    expect(Object.keys(fake.vacant)).to.deep.equal(["0xb"]);
    expect(sent).to.have.length(1);
  });

  it("sends nothing when it is another one's turn", async () => {
    const { context, sent } = makeContext(world({ isMyTurn: false, ends: { "0xa": 9 }, vacant: { "0xa": { 0: VACANT } } }));
    expect(await closeNextDeal(context, start())).to.equal(false);
    expect(sent).to.deep.equal([]);
  });
});

describe("marking void periods", () => {
  it("marks those whose beacon came late, once, and looks at a seed that came no more", async () => {
    const fake = world({
      voids: new Set([5, 7]),
      marked: new Set([7]),
      known: new Set([1, 2, 3, 4, 6, 8].map((period) => period * LENGTH + 2)),
    });
    const { context, sent } = makeContext(fake);
    const seeded = new Set<number>();
    expect(await markNextVoid(context, seeded)).to.equal(true);
    expect(sent).to.deep.equal(["void/5 voidPeriod(5)"]);
    expect([...seeded]).to.deep.equal([1, 2, 3, 4]);
    fake.marked.add(5);
    expect(await markNextVoid(context, seeded)).to.equal(false);
  });
});

describe("turns of several oracles", () => {
  const ADDRESSES = [1, 2, 3].map((digit) => `0x${String(digit).repeat(40)}`);

  it("are in one order for one duty, which everybody can compute, inside the bound", () => {
    const firsts = new Set<string>();
    for (let period = 0; period < 50; period += 1) {
      const delays = ADDRESSES.map((address) => turnDelayMs(`beacon/${period}`, address, 1_500));
      expect(delays).to.deep.equal(ADDRESSES.map((address) => turnDelayMs(`beacon/${period}`, address, 1_500)));
      for (const delay of delays) expect(delay).to.be.within(0, 1_499);
      firsts.add(String(delays.indexOf(Math.min(...delays))));
    }
    expect(firsts.size, "each is the first now and then").to.equal(3);
  });

  it("come after the delay, counted from when the duty was seen, and anew when it was not due for long", () => {
    const [address = ""] = ADDRESSES;
    let now = 1_000_000;
    const turns = new Turns(address, () => now);
    const delay = turnDelayMs("x", address, 10_000);
    expect(turns.isMine("x", 10_000)).to.equal(false);
    now += delay - 1;
    expect(turns.isMine("x", 10_000)).to.equal(false);
    now += 1;
    expect(turns.isMine("x", 10_000)).to.equal(true);
    now += 120_000;
    expect(turns.isMine("x", 10_000)).to.equal(false);
  });
});
