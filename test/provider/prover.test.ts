import { open, rename } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { PpioError } from "@ppio/core";
import { drandRandomness, drandSecretKey, signDrandRound } from "@ppio/core/drand";
import { createLogger } from "@ppio/daemon";
import {
  Admission,
  type AlertNotice,
  createBandwidth,
  createProviderMetrics,
  declareDamaged,
  Inventory,
  type ProverState,
  type ProviderContext,
  proveDuePeriod,
  ReservedUploads,
  SlotStore,
} from "@ppio/provider";
import { expect } from "chai";
import { hexlify, type TransactionReceipt, Wallet } from "ethers";
import fc from "fast-check";
import { codeOf } from "../support/code-of.ts";
import { damageDesk, pricing, quietAlerts } from "../support/provider/desks.ts";
import { FakeLine, MARKET_ABI } from "../support/provider/fake-line.ts";
import { HEADER, makeSlot, pieces, type TestSlot } from "../support/provider/slot.ts";
import { CONFIG, DOMAIN, PROVIDER_ID } from "../support/provider/world.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

interface Prover {
  readonly line: FakeLine;
  readonly slots: readonly TestSlot[];
  readonly dir: string;
  readonly context: ProviderContext;
  /** Ids of what was sent, in order. */
  readonly sent: string[];
  readonly alerts: readonly AlertNotice[];
  /** Lines of its log. */
  readonly told: readonly string[];
  readonly clock: { nowMs: number };
  look(): Promise<void>;
  declare(): Promise<void>;
  /** What a restart does: everything in memory is new. */
  restart(): void;
  faults: { nextSend: Error | undefined; seed: string | undefined };
}

async function startProver(pays: readonly bigint[] = [7n, 20n, 3n]): Promise<Prover> {
  const dir = join(await temporaryFolder(), "slots");
  const told: string[] = [];
  const log = createLogger({ component: "test", write: (text) => void told.push(text) });
  const store = await SlotStore.open({ dir, capacityBytes: 1 << 24, log });
  const line = new FakeLine();
  const slots = pays.map((_pay, index) => makeSlot(HEADER, index));
  for (const [index, slot] of slots.entries()) {
    await store.create(slot.meta);
    await store.append(slot.meta.uploadId, 0, pieces(slot.data));
    await store.seal(slot.meta.uploadId, slot.root);
    line.fill(slot, pays[index] ?? 1n);
  }
  const alerts: AlertNotice[] = [];
  const sent: string[] = [];
  const faults: Prover["faults"] = { nextSend: undefined, seed: undefined };
  const send = async (id: string, { data }: { readonly data: string }): Promise<TransactionReceipt> => {
    sent.push(id);
    const fault = faults.nextSend;
    faults.nextSend = undefined;
    if (fault !== undefined) throw fault;
    if (id.startsWith("prove/")) line.takeProof(data, slots, faults.seed);
    const given = id.startsWith("declare/") ? MARKET_ABI.parseTransaction({ data })?.args : undefined;
    if (given !== undefined) line.lose(String(given[0]), BigInt(given[1]), Math.floor(line.timestamp / 100) + 1);
    return { gasUsed: 1n, hash: "0x" } as TransactionReceipt;
  };
  const clock = { nowMs: 0 };
  const damage = await damageDesk(store, () => clock.nowMs);
  const context = (): ProviderContext => ({
    config: CONFIG,
    chain: line.connection(),
    domain: DOMAIN,
    operator: new Wallet(`0x${"42".repeat(32)}`),
    providerId: PROVIDER_ID,
    operatorEpoch: 1,
    store,
    sender: { send },
    damage,
    alerts: quietAlerts(alerts),
    admission: new Admission(),
    reserved: new ReservedUploads(() => 0),
    bandwidth: createBandwidth({ config: CONFIG, now: () => 0 }),
    pricing: pricing(CONFIG, store),
    metrics: createProviderMetrics(),
    log,
    now: () => line.timestamp * 1000,
  });
  let current = context();
  let inventory = new Inventory(current.chain, PROVIDER_ID);
  let state: ProverState = { keptAfter: 0 };
  return {
    line,
    slots,
    dir,
    context: current,
    sent,
    faults,
    alerts,
    told,
    clock,
    look: () => proveDuePeriod(current, inventory, state),
    async declare() {
      await declareDamaged(current, state.keptAfter);
    },
    restart: () => {
      current = context();
      inventory = new Inventory(current.chain, PROVIDER_ID);
      state = { keptAfter: 0 };
    },
  };
}

describe("prover", () => {
  afterEach(removeTemporaryFolders);

  it("answers every sample of a period as the contract draws it, with whatever pays and seeds", async () => {
    const pay = fc.bigInt({ min: 1n, max: 1_000n });
    await fc.assert(
      fc.asyncProperty(fc.array(pay, { minLength: 1, maxLength: 4 }), fc.integer({ min: 2, max: 900 }), async (pays, period) => {
        const prover = await startProver(pays);
        prover.line.at(period, 1);
        await prover.look();
        expect([...prover.line.proven]).to.deep.equal([period - 1]);
      }),
      { numRuns: 20 },
    );
  });

  it("proves as soon as the seed is out, once, and every period anew", async () => {
    const prover = await startProver();
    prover.line.at(3, 1).seedIsOut = false;
    await prover.look();
    expect(prover.sent).to.deep.equal([]);
    prover.line.at(3, 2).seedIsOut = true;
    for (let looks = 0; looks < 4; looks += 1) await prover.look();
    expect(prover.sent).to.deep.equal(["prove/2"]);
    prover.restart();
    await prover.look();
    expect(prover.sent, "after a restart too").to.deep.equal(["prove/2"]);
    prover.line.at(4, 0);
    await prover.look();
    expect(prover.sent).to.deep.equal(["prove/2", "prove/3"]);
  });

  it("asks for the same transaction again after an outage or a restart in the middle", async () => {
    const prover = await startProver();
    prover.line.at(3, 1);
    prover.faults.nextSend = new PpioError("CHAIN_UNREACHABLE", "away");
    expect(await codeOf(prover.look())).to.equal("CHAIN_UNREACHABLE");
    prover.restart();
    await prover.look();
    expect(prover.sent).to.deep.equal(["prove/2", "prove/2"]);
    expect([...prover.line.proven]).to.deep.equal([2]);
  });

  it("does nothing where nothing is owed: no slots, none live, gone, proven by somebody else", async () => {
    const empty = await startProver([]);
    empty.line.at(3, 1);
    await empty.look();
    const ended = await startProver();
    for (const slot of ended.slots) ended.line.end(slot, 2);
    ended.line.at(3, 1);
    await ended.look();
    const gone = await startProver();
    gone.line.at(3, 1).evictedAt = 2;
    await gone.look();
    const proven = await startProver();
    proven.line.at(3, 1).proven.add(2);
    await proven.look();
    expect([...empty.sent, ...gone.sent, ...proven.sent]).to.deep.equal([]);
    expect(ended.sent.filter((id) => id.startsWith("prove/"))).to.deep.equal([]);
    expect(proven.context.metrics.get("ppio_last_proven_period")).to.equal(2);
  });

  it("names holes without a proof and draws again", async () => {
    const prover = await startProver([5n, 5n, 5n]);
    prover.line.end(prover.slots[1] ?? makeSlot(), 5);
    for (const period of [6, 7, 8, 9, 10]) {
      prover.line.at(period, 1);
      await prover.look();
      expect(prover.line.proven.has(period - 1), `period ${period - 1}`).to.equal(true);
    }
  });

  it("sees a deal that ended since it last looked", async () => {
    const prover = await startProver([5n, 500n]);
    prover.line.at(3, 1);
    await prover.look();
    prover.line.end(prover.slots[0] ?? makeSlot(), 3);
    prover.line.at(4, 1);
    await prover.look();
    expect([...prover.line.proven]).to.deep.equal([2, 3]);
  });

  /** Flips a byte in every cell, so that any leaf may be hit. */
  async function spoil(prover: Prover, index: number): Promise<string> {
    const uploadId = prover.slots[index]?.meta.uploadId ?? "";
    const handle = await open(join(prover.dir, uploadId, "data"), "r+");
    for (let row = 0; row < HEADER.rows; row += 1) await handle.write(new Uint8Array(64), 0, 64, row * HEADER.cellBytes);
    await handle.close();
    return uploadId;
  }

  describe("when a slot is damaged", () => {
    it("names it lost in the proof when it is drawn, draws again, and is paid for the others", async () => {
      const prover = await startProver([50n, 50n, 50n]);
      await spoil(prover, 1);
      prover.line.at(3, 1);
      await prover.look();
      expect([...prover.line.proven]).to.deep.equal([2]);
      expect(prover.line.lost).to.deep.equal([`${prover.slots[1]?.meta.dealId}/1`]);
      expect(prover.context.metrics.get("ppio_named_lost_total")).to.equal(1);
      expect(prover.alerts.map(({ kind }) => kind)).to.deep.equal(["damage-declared"]);
      prover.line.at(4, 1);
      await prover.look();
      expect([...prover.line.proven], "it is a hole from then on").to.deep.equal([2, 3]);
    });

    it("cannot prove with nothing else: says so, names nothing, and gives the slot up for the running period", async () => {
      const prover = await startProver([5n]);
      const uploadId = await spoil(prover, 0);
      prover.line.at(3, 1);
      await prover.look();
      expect(prover.sent).to.deep.equal([]);
      await prover.declare();
      expect(prover.line.lost).to.have.length(1);
      expect(prover.line.slot(prover.slots[0]?.meta.dealId ?? "", 0).liveUntil).to.equal(3);
      expect(prover.context.damage.damaged).to.deep.equal([uploadId]);
    });

    it("gives it up after the proof of the period before, or late in the running one", async () => {
      const prover = await startProver([5n, 5n]);
      prover.context.damage.suspect(await spoil(prover, 1), 0);
      prover.line.at(3, 1).seedIsOut = false;
      await prover.look();
      await prover.declare();
      expect(prover.line.lost, "its proof may still be owed").to.deep.equal([]);
      prover.line.at(3, 79);
      await prover.declare();
      expect(prover.line.lost).to.deep.equal([]);
      prover.line.at(3, 80);
      await prover.declare();
      await prover.declare();
      expect(prover.sent.filter((id) => id.startsWith("declare/"))).to.have.length(1);
      expect(prover.alerts.map(({ kind, state }) => [kind, state])).to.deep.equal([["damage-declared", "open"]]);
    });

    it("gives up nothing that is whole when it is read again", async () => {
      const prover = await startProver([5n]);
      prover.context.damage.suspect(prover.slots[0]?.meta.uploadId ?? "", 2);
      prover.line.at(3, 90);
      await prover.declare();
      expect(prover.line.lost).to.deep.equal([]);
      expect(prover.context.damage.suspects).to.deep.equal([]);
    });

    it("declares again what a reorg took back", async () => {
      const prover = await startProver([5n, 5n]);
      prover.context.damage.suspect(await spoil(prover, 1), 0);
      prover.line.at(3, 90);
      await prover.declare();
      Object.assign(prover.line.slot(prover.slots[1]?.meta.dealId ?? "", 1), { status: 1n, liveUntil: 1_000 });
      prover.clock.nowMs = 60_000;
      await prover.declare();
      expect(prover.sent.filter((id) => id.startsWith("declare/"))).to.have.length(2);
    });

    it("gives up nothing by itself when much is damaged at once, until a person says so", async () => {
      const prover = await startProver([5n, 5n, 5n, 5n, 5n]);
      for (const index of [0, 1, 2, 3]) prover.context.damage.suspect(await spoil(prover, index), 0);
      prover.line.at(3, 90);
      await prover.declare();
      expect(prover.line.lost).to.deep.equal([]);
      expect(prover.alerts.map(({ kind }) => kind)).to.deep.equal(["damage-held-back"]);
      expect(await codeOf(prover.look()), "nor when one is drawn").to.equal("CORRUPT");
      expect(prover.context.damage.accept()).to.have.length(4);
      await prover.declare();
      expect(prover.line.lost).to.have.length(4);
    });
  });

  describe("when the disk is gone", () => {
    it("proves and gives up nothing, and says what to do", async () => {
      const prover = await startProver([5n, 5n]);
      prover.context.damage.suspect(prover.slots[0]?.meta.uploadId ?? "", 0);
      await rename(prover.dir, `${prover.dir}.away`);
      prover.line.at(3, 90);
      expect(await codeOf(prover.look())).to.equal("IO");
      expect(await codeOf(prover.declare())).to.equal("IO");
      expect(prover.sent).to.deep.equal([]);
      expect(prover.alerts.map(({ kind, state }) => [kind, state])).to.deep.equal([["disk-failing", "open"]]);
      await rename(`${prover.dir}.away`, prover.dir);
      await prover.look();
      expect([...prover.line.proven], "and goes on once it is back").to.deep.equal([2]);
      expect(prover.alerts.at(-1)?.state).to.equal("over");
    });

    it("takes a drawn slot that is not on it for a wrong disk, not for a lost slot", async () => {
      const prover = await startProver([5n]);
      await prover.context.store.drop(prover.slots[0]?.meta.uploadId ?? "");
      prover.line.at(3, 1);
      expect(await codeOf(prover.look())).to.equal("IO");
      expect(prover.line.lost).to.deep.equal([]);
    });
  });

  it("sends a proof again that a reorg took back, while its window is open", async () => {
    const prover = await startProver();
    prover.line.at(3, 1);
    await prover.look();
    prover.line.proven.clear();
    prover.line.at(3, 2);
    await prover.look();
    expect(prover.sent).to.deep.equal(["prove/2", "prove/2"]);
    expect([...prover.line.proven]).to.deep.equal([2]);
  });

  it("sends it again as well when the reorg took the seed with it, once that is back", async () => {
    const prover = await startProver();
    prover.line.at(3, 1);
    await prover.look();
    prover.line.proven.clear();
    prover.line.at(3, 2).seedIsOut = false;
    await prover.look();
    expect(prover.sent).to.deep.equal(["prove/2"]);
    prover.line.at(3, 3).seedIsOut = true;
    await prover.look();
    expect([...prover.line.proven]).to.deep.equal([2]);
  });

  it("leaves the period alone when the seed came again too late: it is void", async () => {
    const prover = await startProver();
    prover.line.at(3, 1);
    await prover.look();
    prover.line.proven.clear();
    prover.line.isVoid = true;
    prover.line.seedIsOut = false;
    for (const second of [50, 51, 52]) {
      prover.line.at(3, second);
      await prover.look();
    }
    expect(prover.sent).to.deep.equal(["prove/2"]);
    expect(prover.told.filter((text) => text.includes("took a proof back"))).to.deep.equal([]);
  });

  it("tells of a period whose window closed without a proof", async () => {
    const prover = await startProver();
    prover.line.at(3, 1).seedIsOut = false;
    await prover.look();
    prover.line.at(4, 1).seedIsOut = true;
    await prover.look();
    expect(prover.alerts.map(({ kind, subject }) => [kind, subject])).to.deep.equal([["period-missed", "2"]]);
    expect(prover.context.metrics.get("ppio_missed_periods_total")).to.equal(1);
  });

  it("tells of it once when the provider was evicted for it", async () => {
    const prover = await startProver();
    prover.line.at(3, 1).seedIsOut = false;
    await prover.look();
    prover.line.evictedAt = 2;
    for (const second of [1, 2, 3]) {
      prover.line.at(4, second);
      await prover.look();
    }
    expect(prover.alerts.filter(({ kind }) => kind === "period-missed")).to.have.length(1);
    expect(prover.context.metrics.get("ppio_missed_periods_total")).to.equal(1);
  });

  describe("when nobody brings the seed to the chain", () => {
    const secretKey = drandSecretKey();
    const server = createServer((request, response) => {
      const round = Number(request.url?.split("/").at(-1));
      asked.push(round);
      response.end(JSON.stringify({ round, signature: hexlify(signDrandRound(secretKey, round)).slice(2) }));
    });
    let asked: number[] = [];

    before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
    after(() => {
      server.close();
      server.closeAllConnections();
    });
    beforeEach(() => {
      asked = [];
    });

    async function startAlone(): Promise<Prover> {
      const prover = await startProver();
      prover.line.seedIsOut = false;
      prover.line.beaconUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      prover.restart();
      prover.faults.seed = hexlify(drandRandomness(signDrandRound(secretKey, 2)));
      return prover;
    }

    it("leaves it to the oracle at first, then carries it there with the proof", async () => {
      const prover = await startAlone();
      prover.line.at(3, 39);
      await prover.look();
      expect([asked, prover.sent]).to.deep.equal([[], []]);
      prover.line.at(3, 40);
      await prover.look();
      expect([asked, prover.sent]).to.deep.equal([[2], ["prove/2"]]);
      expect([...prover.line.proven]).to.deep.equal([2]);
    });

    it("leaves a void period alone", async () => {
      const prover = await startAlone();
      prover.line.at(3, 90).isVoid = true;
      await prover.look();
      expect(prover.sent).to.deep.equal([]);
    });
  });
});
