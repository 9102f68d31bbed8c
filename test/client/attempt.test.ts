/** Attempts to store an object: fresh secrets for each, but for one that goes on with what was cut. */
import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { planObject } from "@ppio/core";
import { expect } from "chai";
import { createFileAttemptStore } from "../../cli/dist/client/attempts.js";
import { silentLog, systemClock, systemRandom } from "../../client/dist/deps.js";
import { type AttemptOptions, beginAttempt } from "../../client/dist/put/attempt.js";
import { type AttemptStore, createMemoryAttemptStore, MARK_BYTES } from "../../client/dist/put/attempt-store.js";
import { OWNER } from "../support/client/simulated-provider.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

type Context = Parameters<typeof beginAttempt>[0];

const SIZE_BYTES = 9 << 20;
const plan = (k: number) => planObject({ sizeBytes: SIZE_BYTES, k, n: 2 * k }).header;
const OPTIONS: AttemptOptions = { objectId: new Uint8Array(32).fill(7), sizeBytes: SIZE_BYTES, header: plan(4), versionBefore: 0 };
const secretsOf = ({ salt, fillKey, contentKey, dealSalt }: Awaited<ReturnType<typeof beginAttempt>>) =>
  [salt, fillKey, contentKey, dealSalt].map((bytes) => Buffer.from(bytes).toString("hex"));
const marksOf = (count: number): Uint8Array => new Uint8Array(count * MARK_BYTES).map((_, at) => at & 0xff);

function contextOf(
  attempts: AttemptStore,
  changes: { readonly market?: string; readonly master?: number; readonly isOpened?: boolean } = {},
) {
  const { market = `0x${"11".repeat(20)}`, master = 1, isOpened = false } = changes;
  return {
    attempts,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    masterSecret: new Uint8Array(32).fill(master),
    applicationSecret: new Uint8Array(32).fill(2),
    chain: {
      domain: { chainId: 1n, market },
      address: async () => OWNER.address,
      market: { deal: async () => ({ status: isOpened ? 1n : 0n }) },
      read: (_what: string, call: () => Promise<unknown>) => call(),
    },
  } as unknown as Context;
}

/** One that was cut after three rows. */
async function cut(attempts: AttemptStore): Promise<string[]> {
  const attempt = await beginAttempt(contextOf(attempts), OPTIONS);
  await attempt.onHired?.(new Map([[3, 44]]));
  await attempt.append?.(marksOf(3));
  await attempt.close();
  return secretsOf(attempt);
}

describe("attempts to store an object", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await temporaryFolder();
  });
  afterEach(removeTemporaryFolders);

  for (const [name, make] of [
    ["in memory", createMemoryAttemptStore],
    ["on disk", () => createFileAttemptStore(dir)],
  ] as const) {
    it(`go on with what was cut, ${name}: the same secrets, providers and marks`, async () => {
      const store = make();
      const secrets = await cut(store);
      const again = await beginAttempt(contextOf(store), OPTIONS);
      expect([again.isResumed, secretsOf(again)]).to.deep.equal([true, secrets]);
      expect([...again.begun]).to.deep.equal([[3, 44]]);
      expect(Buffer.from(again.known)).to.deep.equal(Buffer.from(marksOf(3)));
      await again.append?.(marksOf(2));
      await again.close();
      const third = await beginAttempt(contextOf(store), OPTIONS);
      expect(third.known).to.have.length(5 * MARK_BYTES);
      await third.done();
      await third.close();
    });

    for (const [what, changes, options] of [
      ["another code", {}, { header: plan(2) }],
      ["another size", {}, { sizeBytes: SIZE_BYTES + 1 }],
      ["an object that was stored since", {}, { versionBefore: Date.now() + 60_000 }],
      ["another market", { market: `0x${"22".repeat(20)}` }, {}],
      ["another user", { master: 9 }, {}],
      ["a deal that is open", { isOpened: true }, {}],
    ] as const) {
      it(`draw everything anew for ${what}, ${name}, and take no old mark for their own`, async () => {
        const store = make();
        const secrets = await cut(store);
        const fresh = await beginAttempt(contextOf(store, changes), { ...OPTIONS, ...options });
        expect(fresh.isResumed).to.equal(false);
        expect(secretsOf(fresh)).not.to.include.oneOf(secrets);
        expect([fresh.known.length, fresh.begun.size]).to.deep.equal([0, 0]);
        await fresh.onHired?.(new Map([[0, 1]]));
        await fresh.close();
        const again = await beginAttempt(contextOf(store, { ...changes, isOpened: false }), { ...OPTIONS, ...options });
        expect([again.isResumed, again.known.length]).to.deep.equal([true, 0]);
        await again.append?.(marksOf(1));
        await again.close();
        const third = await beginAttempt(contextOf(store, { ...changes, isOpened: false }), { ...OPTIONS, ...options });
        expect(third.known).to.have.length(MARK_BYTES);
        await third.close();
      });
    }

    it(`are had by one put at a time, ${name}; the other one draws its own and notes nothing`, async () => {
      const store = make();
      const one = await beginAttempt(contextOf(store), OPTIONS);
      const other = await beginAttempt(contextOf(store), OPTIONS);
      expect(secretsOf(one)).not.to.include.oneOf(secretsOf(other));
      expect([other.append, other.onHired]).to.deep.equal([undefined, undefined]);
      await other.close();
      await one.close();
    });
  }

  it("leave nothing on the disk when they are over", async () => {
    const store = createFileAttemptStore(dir);
    await cut(store);
    const again = await beginAttempt(contextOf(store), OPTIONS);
    await again.done();
    await again.close();
    expect(await readdir(dir)).to.deep.equal([]);
  });

  it("lose a mark that a power cut has torn, and nothing else", async () => {
    const store = createFileAttemptStore(dir);
    await cut(store);
    const [folder = ""] = await readdir(dir);
    // The label and three marks.
    await truncate(join(dir, folder, "marks"), 4 * MARK_BYTES - 5);
    const again = await beginAttempt(contextOf(store), OPTIONS);
    await again.append?.(marksOf(1));
    await again.close();
    const third = await beginAttempt(contextOf(store), OPTIONS);
    expect(Buffer.from(third.known)).to.deep.equal(Buffer.concat([marksOf(2), marksOf(1)]));
    await third.close();
  });

  it("are not noted when they are small", async () => {
    const small = { ...OPTIONS, sizeBytes: 1 << 20 };
    const attempt = await beginAttempt(contextOf(createFileAttemptStore(dir)), small);
    expect(attempt.append).to.equal(undefined);
    expect(await readdir(dir)).to.deep.equal([]);
  });
});
