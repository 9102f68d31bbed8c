/** What a client knows of deals while the chain is away, against a chain made of plain values. */
import { encodeDealHeader, PpioError, planRecord } from "@ppio/core";
import { expect } from "chai";
import { hexlify } from "ethers";
import { createDealBook, type DealBook } from "../../client/dist/deals/deal-book.js";
import { createMemoryDealStore, type DealStore } from "../../client/dist/deals/deal-store.js";
import { decodeDeal, encodeDeal } from "../../client/dist/deals/kept-deal.js";
import { type Log, silentLog, systemClock, systemRandom } from "../../client/dist/deps.js";
import { codeOf } from "../support/code-of.ts";

type Chain = Parameters<typeof createDealBook>[0]["chain"];

const { header } = planRecord({ sizeBytes: 9_000, k: 1, n: 2, cellBytes: 4096 });
const dealId = `0x${"22".repeat(32)}`;
const owner = `0x${"33".repeat(20)}`;
const CHAIN_MS = 5_000;
const AWAY_MS = 60_000;

describe("what is known of deals", () => {
  let nowMs: number;
  /** What the chain does when it is asked. */
  let chainIs: "there" | "refusing" | "silent" | "without the deal";
  let asked: number;
  let endpoint: string;
  let store: DealStore;
  let warned: string[];

  // Time passes only where somebody waits for it.
  const clock = {
    nowMs: () => nowMs,
    sleep: async (ms: number, signal?: AbortSignal) => {
      if (chainIs !== "silent") return systemClock.sleep(ms, signal);
      nowMs += ms;
    },
  };
  const log: Log = { ...silentLog, warn: (message) => void warned.push(message) };
  const slot = (providerId: bigint) => ({
    ...{ status: 1n, providerId, leafCount: 64n, payGwei: 1n, collateralGwei: 1n, fromPeriod: 1n, settledTo: 1n, liveUntil: 9n },
    root: `0x${"44".repeat(32)}`,
  });
  const chain = {
    read: async (_what: string, call: () => Promise<unknown>, signal?: AbortSignal) => {
      asked += 1;
      if (chainIs === "refusing") throw new PpioError("CHAIN_UNREACHABLE", "nobody is there");
      if (chainIs === "silent") return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
      return call();
    },
    market: {
      deal: async () => ({
        ...{ status: chainIs === "without the deal" ? 0n : 1n, owner, payer: owner, start: 1n, end: 9n, k: 1n, n: 2n, renewUntil: 0n },
        header: hexlify(encodeDealHeader(header)),
      }),
      slots: async () => [slot(7n), slot(0n)],
    },
    registry: { getProvider: async () => ({ owner, operator: owner, endpoint, failureDomain: "home", evictedAtPeriod: 0n }) },
  } as unknown as Chain;
  const open = (masterSecret = new Uint8Array(32).fill(1)): DealBook =>
    createDealBook({
      ...{ chain, store, clock, log, random: systemRandom, chainMs: CHAIN_MS, awayMs: AWAY_MS },
      keptBy: { masterSecret, applicationSecret: new Uint8Array(32).fill(2) },
    });

  beforeEach(() => {
    nowMs = 1_800_000_000_000;
    chainIs = "there";
    asked = 0;
    endpoint = "http://one";
    store = createMemoryDealStore();
    warned = [];
  });

  it("survives its bytes", async () => {
    const { deal } = await open().find(dealId);
    const { header, slots } = decodeDeal(encodeDeal(deal));
    expect(header).to.deep.equal(deal.header);
    expect(slots.map(({ provider }) => provider)).to.deep.equal(deal.slots.map(({ provider }) => provider));
    expect(slots.map(({ root, status }) => [hexlify(root), status])).to.deep.equal(
      deal.slots.map(({ root, status }) => [hexlify(root), status]),
    );
  });

  for (const away of ["refusing", "silent"] as const) {
    it(`is what was kept when the chain is ${away}, and then the chain is let be for a while`, async () => {
      const before = open();
      expect((await before.find(dealId)).isFromChain).to.equal(true);
      expect(before.isChainAway()).to.equal(false);
      chainIs = away;
      const book = open();
      const since = nowMs;
      const { deal, isFromChain } = await book.find(dealId);
      expect(isFromChain).to.equal(false);
      expect(deal.slots.map(({ provider }) => provider.endpoint)).to.deep.equal(["http://one", ""]);
      expect(book.isChainAway()).to.equal(true);
      expect(nowMs - since).to.equal(away === "silent" ? CHAIN_MS : 0);
      expect(warned).to.deep.equal(["the chain does not answer; reading by what was kept of the deal"]);
      const soFar = asked;
      await book.find(dealId);
      expect(asked).to.equal(soFar);
      nowMs += AWAY_MS;
      chainIs = "there";
      expect((await book.find(dealId)).isFromChain).to.equal(true);
      expect(book.isChainAway()).to.equal(false);
    });
  }

  it("is nothing new when the chain is away and nothing was kept, or when the chain is to be asked", async () => {
    chainIs = "refusing";
    expect(await codeOf(() => open().find(dealId))).to.equal("CHAIN_UNREACHABLE");
    chainIs = "there";
    await open().find(dealId);
    chainIs = "refusing";
    expect(await codeOf(() => open().ask(dealId))).to.equal("CHAIN_UNREACHABLE");
  });

  it("follows the chain: what has changed is kept anew, and a deal that is not there is not there", async () => {
    await open().find(dealId);
    endpoint = "http://two";
    await open().find(dealId);
    chainIs = "refusing";
    expect((await open().find(dealId)).deal.slots[0]?.provider.endpoint).to.equal("http://two");
    chainIs = "without the deal";
    expect(await codeOf(() => open().find(dealId))).to.equal("NOT_FOUND");
  });

  it("is gone once it is forgotten, and of no use to anybody else or when it is damaged", async () => {
    await open().find(dealId);
    chainIs = "refusing";
    expect(await codeOf(() => open(new Uint8Array(32).fill(9)).find(dealId))).to.equal("CHAIN_UNREACHABLE");
    const sealed = (await store.read(dealId)) ?? new Uint8Array();
    for (const damaged of [sealed.subarray(0, 40), new Uint8Array(), sealed.map((byte, at) => (at === 50 ? byte ^ 1 : byte))]) {
      await store.save(dealId, damaged);
      expect(await codeOf(() => open().find(dealId))).to.equal("CHAIN_UNREACHABLE");
    }
    await store.save(dealId, sealed);
    expect((await open().find(dealId)).isFromChain).to.equal(false);
    await open().forget(dealId);
    expect(await codeOf(() => open().find(dealId))).to.equal("CHAIN_UNREACHABLE");
  });

  it("is not kept on a disk that fails, and read all the same", async () => {
    const fails = () => Promise.reject(new PpioError("NO_SPACE", "full"));
    store = { read: fails, save: fails, forget: fails };
    expect((await open().find(dealId)).isFromChain).to.equal(true);
    await open().forget(dealId);
    expect(warned).to.have.length(3);
  });

  it("says nothing when nobody waits for it any more", async () => {
    await open().find(dealId);
    chainIs = "silent";
    const stop = new AbortController();
    stop.abort();
    expect(await codeOf(() => open().find(dealId, stop.signal))).to.equal("CANCELLED");
  });
});
