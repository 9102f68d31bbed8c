/** Signed lies on their way to the chain: kept before they are sent, sent once, kept while the chain is away. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type LieEvidence, PpioError } from "@ppio/core";
import { IFraudProofs__factory } from "@ppio/core/interfaces";
import { createLogger, LieDesk, type LieDeskOptions } from "@ppio/daemon";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const FRAUD = IFraudProofs__factory.createInterface();
const OPERATOR = `0x${"0a".repeat(20)}`;
const FRAUD_PROOFS = `0x${"0f".repeat(20)}`;
const word = (byte: string): string => `0x${byte.repeat(32)}`;

function lieOf(rootsHash: string, signer = OPERATOR): LieEvidence {
  const answer = { dealId: word("d1"), slotIndex: 3, firstCell: 7, rootsHash, servedAt: 1_750_000_000_000 };
  return { answer, signature: `0x${"51".repeat(65)}`, signer, cellCount: 1, nodes: [word("01"), word("02")] };
}

interface Stage {
  readonly dir: string;
  evictedAt: bigint;
  /** Thrown by the next sends. */
  failure: Error | undefined;
  /** Files in the folder at each send, and what was sent. */
  readonly sent: { readonly id: string; readonly kept: readonly string[]; readonly epoch: bigint; readonly providerId: bigint }[];
  proven: number;
  open(): Promise<LieDesk>;
}

async function stage(): Promise<Stage> {
  const dir = join(await temporaryFolder(), "lies");
  const made: Stage = {
    ...{ dir, evictedAt: 0n, failure: undefined, sent: [], proven: 0 },
    open: () => LieDesk.open(options),
  };
  const options = {
    dir,
    chain: {
      book: { fraudProofs: FRAUD_PROOFS },
      registry: {
        getProvider: async () => ({ evictedAtPeriod: made.evictedAt, operatorEpoch: 5n }),
        operatorAt: async (_providerId: number, epoch: number) => (epoch === 2 ? OPERATOR : word("00").slice(0, 42)),
      },
    },
    sender: {
      send: async (id: string, { data }: { data: string }) => {
        const [providerId, epoch] = FRAUD.decodeFunctionData("proveLie", data) as unknown as [bigint, bigint];
        made.sent.push({ id, kept: await readdir(dir), epoch, providerId });
        if (made.failure !== undefined) throw made.failure;
        made.evictedAt = 9n;
        return { hash: word("ff") };
      },
    },
    log: createLogger({ component: "test", write: () => undefined }),
    onProven: () => {
      made.proven += 1;
    },
  } as unknown as LieDeskOptions;
  return made;
}

describe("signed lies of a daemon", () => {
  after(removeTemporaryFolders);

  it("are on disk before they are sent, and are proven with the epoch of the key that signed", async () => {
    const on = await stage();
    const desk = await on.open();
    await desk.keep(4, lieOf(word("aa")));
    await desk.settle();
    expect(on.sent).to.deep.equal([{ id: `lie/4/${word("aa")}`, kept: ["4.json"], epoch: 2n, providerId: 4n }]);
    expect([on.proven, await readdir(on.dir)]).to.deep.equal([1, []]);
  });

  it("cost one transaction, however many there are and whoever was first", async () => {
    const on = await stage();
    const desk = await on.open();
    await desk.keep(4, lieOf(word("aa")));
    await desk.keep(4, lieOf(word("bb")));
    await Promise.all([desk.settle(), desk.settle()]);
    await desk.keep(4, lieOf(word("cc")));
    await desk.settle();
    expect(on.sent.map(({ id }) => id)).to.deep.equal([`lie/4/${word("aa")}`]);
    expect(await readdir(on.dir)).to.deep.equal([]);
  });

  it("wait on disk for a chain that is away or a process that stops, and for the next start", async () => {
    const on = await stage();
    const desk = await on.open();
    await desk.keep(4, lieOf(word("aa")));
    for (const code of ["CHAIN_UNREACHABLE", "CANCELLED", "NO_FUNDS"] as const) {
      on.failure = new PpioError(code, "not now");
      expect(await codeOf(desk.settle())).to.equal(code);
      expect(await readdir(on.dir)).to.deep.equal(["4.json"]);
    }
    on.failure = undefined;
    await (await on.open()).settle();
    expect([on.proven, await readdir(on.dir)]).to.deep.equal([1, []]);
  });

  it("are forgotten when the chain refuses, when nobody of the provider signed, and when the file has rotted", async () => {
    const on = await stage();
    const desk = await on.open();
    on.failure = new PpioError("CHAIN_REVERT", "The contract refused: AnswerIsTrue.");
    await desk.keep(4, lieOf(word("aa")));
    await desk.keep(5, lieOf(word("aa"), FRAUD_PROOFS));
    await desk.settle();
    expect(on.sent.map(({ providerId }) => providerId)).to.deep.equal([4n]);
    await writeFile(join(on.dir, "6.json"), '{"version":1,"providerId":6,"evidence":{}}');
    await (await on.open()).settle();
    expect([on.sent.length, on.proven, await readdir(on.dir)]).to.deep.equal([1, 0, []]);
  });
});
