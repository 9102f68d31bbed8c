/** Reading a deal by what is remembered of it: providers that moved, and signatures that are looked for now and then. */
import {
  answerReader,
  answerRootsHash,
  cellRoots,
  cellRunProof,
  encodeAnswerHead,
  encodeCellSiblings,
  planRecord,
  readAnswerMessage,
  SlotTreeBuilder,
  slotBytes,
} from "@ppio/core";
import { expect } from "chai";
import { getBytes, Wallet } from "ethers";
import { silentLog, systemClock } from "../../client/dist/deps.js";
import { openReader } from "../../client/dist/get/deal-reader.js";
import { createReadPace } from "../../client/dist/get/read-pace.js";
import { LIMITS_DEFAULT } from "../../client/dist/limits.js";
import { createServiceLog } from "../../client/dist/providers/service-log.js";
import { createMemoryServiceStore } from "../../client/dist/providers/service-store.js";
import { createStragglers } from "../../client/dist/providers/stragglers.js";
import { createMemory } from "../../client/dist/remember.js";
import { codeOf } from "../support/code-of.ts";

type Context = Parameters<typeof openReader>[0];
type Readable = Awaited<ReturnType<Context["deals"]["get"]>>;

const { header } = planRecord({ sizeBytes: 9_000, k: 1, n: 2, cellBytes: 4096 });
const domain = { chainId: 1n, market: `0x${"11".repeat(20)}` };
const dealId = `0x${"22".repeat(32)}`;
const bytes = new Uint8Array(slotBytes(header)).map((_, at) => at & 0xff);
const tree = new SlotTreeBuilder(header);
const roots = tree.push(bytes);
const { root, leafCount } = tree.finish();
const [operator, stranger] = [Wallet.createRandom(), Wallet.createRandom()];

/** The whole slot's answer, signed by `signer`. */
async function answerOf(signer: typeof operator): Promise<Uint8Array> {
  const words = Array.from({ length: header.rows }, (_, row) => roots.slice(32 * row, 32 * row + 32));
  const siblings = cellRunProof(header, roots, 0, header.rows);
  const servedAt = 1;
  const signed = { dealId, slotIndex: 0, firstCell: 0, rootsHash: answerRootsHash(words, siblings), servedAt };
  const signature = getBytes(await readAnswerMessage.sign(domain, signed, signer));
  const parts = [encodeAnswerHead({ cellRoots: words, siblings, servedAt, signature })];
  for (let at = 0; at < bytes.length; at += header.cellBytes) {
    parts.push(encodeCellSiblings([]), bytes.subarray(at, at + header.cellBytes));
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** A deal of which one slot is read, from the provider at `endpoint`. */
function readable(endpoint: string): Readable {
  const provider = { providerId: 1, owner: "", operator: operator.address, endpoint, failureDomain: "", evicted: false };
  const slot = { slotIndex: 0, root, leafCount, status: "Filled", provider };
  return { deal: { dealId, header, slots: [slot] }, authorization: "ticket", signed: new Set() } as unknown as Readable;
}

function contextWith(signerOf: (answer: number) => typeof operator, deals: Context["deals"]): { context: Context; asked: string[] } {
  const asked: string[] = [];
  const context = {
    chain: { domain, read: async () => ({ operator: operator.address, evictedAtPeriod: 0n }) },
    clock: systemClock,
    log: silentLog,
    service: createServiceLog({ store: createMemoryServiceStore(), clock: systemClock, log: silentLog }),
    readPace: createReadPace(LIMITS_DEFAULT),
    stragglers: createStragglers(systemClock),
    random: (length: number) => new Uint8Array(length).fill(255),
    limits: { ...LIMITS_DEFAULT, pauseMs: 1 },
    deals,
    api: (endpoint: string) => ({
      readSlot: async () => {
        asked.push(endpoint);
        if (endpoint === "gone") throw new Error("no answer");
        const answer = await answerOf(signerOf(asked.length));
        return answerReader(
          (async function* () {
            yield answer;
          })(),
        );
      },
    }),
  } as unknown as Context;
  return { context, asked };
}

describe("reading a remembered deal", () => {
  it("has the deal that the test thinks it has", () => {
    expect(cellRoots(header, 0, bytes)).to.deep.equal(roots);
  });

  it("looks at the chain again when the providers that it remembers do not serve it any more", async () => {
    const memory = createMemory<Readable>({ clock: systemClock, entriesMax: 4 });
    await memory.get(dealId, async () => readable("gone"));
    const now = readable("here");
    const { context, asked } = contextWith(() => operator, {
      get: (key) => memory.get(key, async () => now),
      forget: (key) => memory.forget(key),
    });
    const reader = await openReader(context, { dealId });
    const slots = await reader.readRows(0, header.rows, [0]);
    expect(slots.get(0)).to.deep.equal(bytes);
    expect(new Set(asked)).to.deep.equal(new Set(["gone", "here"]));
  });

  it("refuses a provider whose first answer somebody else signed, and lets the others be", async () => {
    const fresh = () => createMemory<Readable>({ clock: systemClock, entriesMax: 4 });
    const once = (memory: ReturnType<typeof fresh>): Context["deals"] => ({
      get: (key) => memory.get(key, async () => readable("here")),
      forget: (key) => memory.forget(key),
    });
    const first = contextWith(() => stranger, once(fresh()));
    const refused = await openReader(first.context, { dealId });
    expect(await codeOf(() => refused.readRows(0, header.rows, [0]))).to.equal("UNRECOVERABLE");

    const second = contextWith((answer) => (answer === 1 ? operator : stranger), once(fresh()));
    const reader = await openReader(second.context, { dealId });
    for (let run = 0; run < 2; run += 1) expect((await reader.readRows(0, header.rows, [0])).get(0)).to.deep.equal(bytes);
  });
});
