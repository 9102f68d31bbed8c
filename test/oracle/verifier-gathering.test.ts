/** What anyone may do for a committee: when it is done, for whom, and that it is done once. */
import { createLogger } from "@ppio/daemon";
import { expect } from "chai";
import type { VerifierContext } from "../../oracle/dist/verifier/context.js";
import { createGatheringState, draw, finalise, settle } from "../../oracle/dist/verifier/gathering.js";
import { createVerifierMetrics } from "../../oracle/dist/verifier/metrics.js";
import type { TermView } from "../../oracle/dist/verifier/terms.js";

const SEED = `0x${"07".repeat(32)}`;
const VIEW: TermView = {
  ...{ term: 3, members: ["a", "b", "c", "d", "e", "f"], seat: -1, hasCommitted: false, hasRevealed: false, isSettled: false },
  ...{ openPeriod: 9, commitPeriod: 13, revealPeriod: 14, finalisePeriod: 15, settlePeriod: 17 },
};

interface World {
  /** Reports by provider; ids count from 1. */
  reports: number[];
  scored: Set<number>;
  /** Scored by a transaction that is on its way. */
  pendingScored: Set<number>;
  settled: Set<number>;
  undrawn: Set<number>;
  owedWei: bigint;
  hasSeed: boolean;
  isMyTurn: boolean;
}

function open(change: Partial<World> = {}): { context: VerifierContext; sent: string[]; world: World } {
  const world: World = {
    ...{ reports: [4, 4, 3, 6], scored: new Set(), pendingScored: new Set(), settled: new Set(), undrawn: new Set() },
    ...{ owedWei: 0n, hasSeed: true, isMyTurn: true },
    ...change,
  };
  const sent: string[] = [];
  const noSeed = Object.assign(new Error("reverted"), { code: "CALL_EXCEPTION" });
  const committee = {
    interface: { encodeFunctionData: (name: string, args: unknown[] = []) => `${name} ${args.map(String).join(" ")}` },
    FINALISE_MAX: async () => 8n,
    revealedScores: async (_term: number, id: number) => Array.from({ length: world.reports[id - 1] ?? 0 }, () => 1n),
    scoreOf: async (id: number, at?: { blockTag: string }) => ({
      term: world.scored.has(id) || (at?.blockTag === "pending" && world.pendingScored.has(id)) ? 3n : 0n,
    }),
    termOf: async (term: number) => ({ members: world.undrawn.has(term) ? [] : VIEW.members, settled: world.settled.has(term) }),
    previewCommittee: async () => VIEW.members,
    owedToFundWei: async () => world.owedWei,
  };
  const chain = {
    book: { committee: "committee" },
    registry: { providerCount: async () => BigInt(world.reports.length) },
    proofs: {
      periodSeconds: async () => 10n,
      seedOf: async () => {
        if (!world.hasSeed) throw noSeed;
        return SEED;
      },
    },
  };
  const context = {
    ...{ chain, committee, address: "a", metrics: createVerifierMetrics(), turns: { isMine: () => world.isMyTurn } },
    sender: {
      send: async (id: string, { data }: { data: string }) => {
        sent.push(`${id}: ${data}`);
        return { hash: "0x" };
      },
    },
    log: createLogger({ component: "test", write: () => undefined }),
  };
  return { context: context as unknown as VerifierContext, sent, world };
}

describe("drawing a committee", () => {
  it("is done once the seed is there and nobody has", async () => {
    const { context, sent, world } = open({ undrawn: new Set([3]), hasSeed: false });
    const undrawn = { ...VIEW, members: [] };
    expect(await draw(context, undrawn)).to.equal(false);
    world.hasSeed = true;
    world.isMyTurn = false;
    expect(await draw(context, undrawn)).to.equal(false);
    world.isMyTurn = true;
    expect(await draw(context, undrawn)).to.equal(true);
    expect(await draw(context, VIEW)).to.equal(false);
    world.undrawn.clear();
    expect(await draw(context, undrawn), "another one's draw is on its way").to.equal(false);
    expect(sent).to.deep.equal(["draw/3: drawCommittee 3"]);
  });
});

describe("finalising", () => {
  it("scores those with two thirds of the seats, eight at a time, in the window, until none is left", async () => {
    const { context, sent, world } = open({ reports: [4, 3, 6, 4, 4, 4, 4, 4, 4, 4, 0] });
    const state = createGatheringState();
    expect(await finalise(context, state, VIEW, 14)).to.equal(false);
    expect(await finalise(context, state, VIEW, 17)).to.equal(false);
    expect(await finalise(context, state, VIEW, 15)).to.equal(true);
    for (const id of [1, 3, 4, 5, 6, 7, 8, 9]) world.scored.add(id);
    world.pendingScored.add(10);
    expect(await finalise(context, state, VIEW, 16), "on its way").to.equal(false);
    world.pendingScored.clear();
    expect(await finalise(context, state, VIEW, 16)).to.equal(true);
    world.scored.add(10);
    expect(await finalise(context, state, VIEW, 16)).to.equal(false);
    expect(sent.map((entry) => entry.split(": ")[1])).to.deep.equal(["finalise 3 1,3,4,5,6,7,8,9", "finalise 3 10"]);
  });
});

describe("settling terms", () => {
  it("takes the oldest that is due, skips those without a committee, then hands penalties to the fund", async () => {
    const { context, sent, world } = open({ settled: new Set([1]), undrawn: new Set([2]), owedWei: 5n });
    const state = createGatheringState();
    expect(await settle(context, state, 6)).to.equal(true);
    world.settled.add(3);
    expect(await settle(context, state, 6)).to.equal(true);
    world.settled.add(4);
    expect(await settle(context, state, 6), "the running one and the one before are not due").to.equal(true);
    world.owedWei = 0n;
    expect(await settle(context, state, 6)).to.equal(false);
    expect(sent.map((entry) => entry.split(": ")[1])).to.deep.equal(["settle 3", "settle 4", "forwardSlashed "]);
  });
});
