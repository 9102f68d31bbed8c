/** The oracle's duties against a chain made of plain values: what is sent, in which order, and what is left alone. */
import { PpioError } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { expect } from "chai";
import type { OracleContext } from "../../oracle/dist/context.js";
import { createOracleMetrics } from "../../oracle/dist/metrics.js";
import { reportNextMiss } from "../../oracle/dist/work/misses.js";
import { relayDueRound } from "../../oracle/dist/work/relay.js";
import { settleNextDeal } from "../../oracle/dist/work/settle.js";

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
  refuse?: string;
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
    rpc: { getBlock: async () => ({ timestamp: fake.timestamp }), getBlockNumber: async () => 100 },
    proofs: {
      interface: encode,
      currentPeriod: async () => BigInt(fake.current),
      periodOf: async () => BigInt(fake.current),
      seedRound: async (period: number) => BigInt(period * LENGTH + 2),
      isVoid: async (period: number) => fake.voids.has(period),
      isProven: async (providerId: number, period: number) => fake.proven.has(`${providerId}/${period}`),
      inventory: async () => ({ cursor: 1n }),
      reportWindowPeriods: async () => 30n,
      reportDelayBlocks: async () => 1n,
      reportsOpen: async () => ({ period: BigInt(fake.current), blockNumber: 50n }),
      finalBefore: async () => BigInt(fake.finalBefore),
    },
    beacon: {
      interface: encode,
      timeOfRound: async (round: bigint) => round,
      randomness: async (round: bigint) => (fake.known.has(Number(round)) ? "0x01" : "0x00"),
    },
    registry: { evictedAtPeriod: async (providerId: number) => (fake.evicted.has(providerId) ? 9n : 0n) },
    market: {
      interface: encode,
      slotForProof: async (dealId: string, slotIndex: number) => {
        const slot = fake.slots.find((candidate) => candidate.dealId === dealId && candidate.slotIndex === slotIndex);
        return { payGwei: 1n, fromPeriod: BigInt(slot?.from ?? 0), untilPeriod: BigInt(slot?.until ?? 0) };
      },
      slot: async (dealId: string, slotIndex: number) => {
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
    slots: { byProvider, forget },
    metrics: createOracleMetrics(),
    log: createLogger({ component: "test", write: () => undefined }),
  };
  return { context: context as unknown as OracleContext, sent };
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
    const cursor = new Map<number, number>();
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

  it("goes on when another oracle was faster", async () => {
    const { context } = makeContext(world({ refuse: "CHAIN_REVERT" }));
    const cursor = new Map<number, number>();
    for (let turn = 0; turn < 3; turn += 1) expect(await reportNextMiss(context, cursor)).to.equal(true);
    expect(await reportNextMiss(context, cursor)).to.equal(false);
  });

  it("tries again when the chain was away", async () => {
    const fake = world({ refuse: "CHAIN_UNREACHABLE" });
    const { context, sent } = makeContext(fake);
    const cursor = new Map<number, number>();
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
    while (await settleNextDeal(context)) expect(sent.length).to.be.lessThan(10);
    expect(sent.map((entry) => entry.split(" ")[0])).to.deep.equal(["settle/0xa/1/0", "settle/0xb/2/2,3"]);
  });

  it("waits until the last period is final", async () => {
    const { context, sent } = makeContext(
      world({ finalBefore: 7, slots: [{ dealId: "0xa", slotIndex: 0, providerId: 1, from: 1, until: 8 }] }),
    );
    expect(await settleNextDeal(context)).to.equal(false);
    expect(sent).to.deep.equal([]);
  });
});
