/** Measuring through a term: what is counted, what is dropped, and what a restart does, against a chain made of plain values. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeDealHeader, PpioError, type Transport } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { expect } from "chai";
import { hexlify } from "ethers";
import type { VerifierContext } from "../../oracle/dist/verifier/context.js";
import { VerifierJournal } from "../../oracle/dist/verifier/journal.js";
import { Measuring } from "../../oracle/dist/verifier/measure.js";
import { createVerifierMetrics } from "../../oracle/dist/verifier/metrics.js";
import { Canary } from "../support/oracle/canary.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const TERM = 2;
/** Periods of 10 s; the term is [40 s, 80 s) after this. */
const GENESIS_MS = 1_800_000_000_000;
const PERIOD_MS = 10_000;
const PROBES = 5;
const SEED = `0x${"07".repeat(32)}`;
/** The verifier's own, which a new one draws by chance: with this one each provider's probes are spread over the term. */
const PLAN_SEED = `0x${"0c".repeat(32)}`;
const urlOf = (providerId: number): string => `http://provider-${providerId}`;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe("measuring", () => {
  const canary = new Canary();
  let folder: string;
  let nowMs: number;
  let owner: string;
  /** Slot 0 is provider 1's, slot 1 provider 2's. */
  let holders: number[];
  /** Whether provider 2 says what it is when it is asked as a witness. */
  let isWitnessThere: boolean;
  let answers: "well" | "falsely" | "not at all";

  beforeEach(async () => {
    folder = await temporaryFolder();
    await mkdir(join(folder, "grants"));
    const tickets = [await canary.ticket(GENESIS_MS / 1000)];
    await writeFile(join(folder, "grants", "a.json"), JSON.stringify(canary.grant(tickets)));
    await mkdir(join(folder, "terms"));
    await writeFile(join(folder, "terms", "verifier.json"), JSON.stringify({ version: 1, account: "a", seed: PLAN_SEED }));
    isWitnessThere = true;
    owner = canary.owner.address;
    holders = [1, 2];
    answers = "well";
    nowMs = GENESIS_MS + 4 * PERIOD_MS;
  });
  afterEach(() => removeTemporaryFolders());

  const transport: Transport = {
    async request({ url }) {
      if (isWitnessThere && url === `${urlOf(2)}/v1/info`) return { status: 503, body: once(new Uint8Array()) };
      if (answers === "not at all") throw new PpioError("NETWORK", "nothing listens there");
      const { searchParams } = new URL(url);
      const firstRow = Number(searchParams.get("offset")) / 4096;
      const cells = answers === "well" ? canary.bytes : canary.bytes.map((byte) => byte ^ 1);
      const body = await canary.answer(firstRow, Math.ceil(Number(searchParams.get("length")) / 4096), { cells });
      return { status: 200, body: once(body) };
    },
  };

  async function open(): Promise<{ context: VerifierContext; measuring: Measuring; counted: () => Promise<number> }> {
    const slot = (at: number) => ({ status: 1n, liveUntil: 100n, providerId: BigInt(holders[at] ?? 0), root: hexlify(canary.root) });
    const chain = {
      registry: {
        providerCount: async () => 2n,
        getProvider: async (id: number) => ({ endpoint: urlOf(id), operator: canary.operator.address }),
      },
      proofs: {
        currentPeriod: async () => 5n,
        periodBounds: async (period: number) => ({ open: BigInt((GENESIS_MS + (Number(period) - 1) * PERIOD_MS) / 1000) }),
      },
      market: {
        deal: async () => ({ status: 1n, end: 100n, owner, header: hexlify(encodeDealHeader(canary.header)) }),
        slots: async () => [slot(0), slot(1)],
        slot: async (_dealId: string, at: number) => slot(at),
      },
    };
    const metrics = createVerifierMetrics();
    const journal = await VerifierJournal.open(join(folder, "terms"), "a");
    const context = {
      ...{ chain, journal, metrics, transport, domain: canary.domain, address: "0x", now: () => nowMs, elapsedMs: () => nowMs },
      committee: { windowsOf: async () => ({ openPeriod: 5, commitPeriod: 9 }) },
      log: createLogger({ component: "test", write: () => undefined }),
      signal: new AbortController().signal,
    } as unknown as VerifierContext;
    const measuring = new Measuring(context, { grants: [join(folder, "grants")], probesPerProvider: PROBES });
    const counted = async () => (await journal.measurements(TERM)).length;
    return { context, measuring, counted };
  }

  /** Goes through the term, a second at a time, as the loop does. */
  async function through(measuring: Measuring, untilMs = GENESIS_MS + 8 * PERIOD_MS): Promise<void> {
    for (; nowMs < untilMs; nowMs += 1_000) await measuring.run(TERM, SEED);
    for (let turn = 0; turn < 10; turn += 1) await measuring.run(TERM, SEED);
  }

  it("makes every probe of the plan once, also over a restart", async () => {
    const first = await open();
    await through(first.measuring, GENESIS_MS + 6 * PERIOD_MS);
    const before = await first.counted();
    expect(before).to.be.within(1, 2 * PROBES - 1);
    const second = await open();
    await through(second.measuring);
    const all = await second.context.journal.measurements(TERM);
    expect(new Set(all.map(({ providerId, index }) => `${providerId}/${index}`)).size).to.equal(2 * PROBES);
    expect(all).to.have.length(2 * PROBES);
    // Slot 0's answers are signed for slot 1, so they are not the provider's word; slot 1's are.
    expect(all.filter(({ providerId }) => providerId === 2).every(({ outcome }) => outcome === "served")).to.equal(true);
  });

  it("counts what contradicts the root as false, and silence as failed while others are heard", async () => {
    answers = "falsely";
    const { context, measuring } = await open();
    await through(measuring, GENESIS_MS + 6 * PERIOD_MS);
    answers = "not at all";
    await through(measuring);
    const outcomes = (await context.journal.measurements(TERM)).filter(({ providerId }) => providerId === 1).map(({ outcome }) => outcome);
    expect(outcomes).to.have.length(PROBES);
    expect(new Set(outcomes)).to.deep.equal(new Set(["false", "failed"]));
  });

  it("drops silence when nobody else is heard: it may be our own network", async () => {
    answers = "not at all";
    isWitnessThere = false;
    const { context, measuring, counted } = await open();
    await through(measuring);
    expect(await counted()).to.equal(0);
    expect(context.metrics.get("ppio_probes_dropped_total")).to.equal(2 * PROBES);
  });

  it("drops probes whose hour is over, and makes no burst of them", async () => {
    const { context, measuring, counted } = await open();
    await measuring.run(TERM, SEED);
    nowMs += 10 * 60_000;
    await through(measuring);
    expect(await counted()).to.equal(0);
    expect(context.metrics.get("ppio_probes_dropped_total")).to.equal(2 * PROBES);
  });

  it("measures nobody by a grant that is not the deal's owner's, and nothing of a slot that changed hands", async () => {
    answers = "falsely";
    const moving = await open();
    const { chain } = moving.context;
    chain.market.slot = (async () => ({ providerId: 9n, liveUntil: 100n })) as unknown as typeof chain.market.slot;
    await through(moving.measuring, GENESIS_MS + 6 * PERIOD_MS);
    expect(await moving.counted()).to.equal(0);
    owner = canary.operator.address;
    const foreign = await open();
    await through(foreign.measuring);
    expect(await foreign.counted()).to.equal(0);
  });
});
