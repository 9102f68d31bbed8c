/** What a verifier must not lose, and what it sends when: crashes between sealing, committing and revealing. */
import { appendFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeReport, PpioError, reportCommitment } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { expect } from "chai";
import { Wallet } from "ethers";
import type { VerifierContext } from "../../oracle/dist/verifier/context.js";
import { type Probed, VerifierJournal } from "../../oracle/dist/verifier/journal.js";
import { createVerifierMetrics } from "../../oracle/dist/verifier/metrics.js";
import { report } from "../../oracle/dist/verifier/reporting.js";
import type { TermView } from "../../oracle/dist/verifier/terms.js";
import { codeOf } from "../support/code-of.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const ME = Wallet.createRandom().address;
const BOOK = { chainId: 31_337, committee: Wallet.createRandom().address };
const VIEW: TermView = {
  ...{ term: 3, members: [ME], seat: 0, hasCommitted: false, hasRevealed: false, isSettled: false },
  ...{ openPeriod: 9, commitPeriod: 13, revealPeriod: 14, finalisePeriod: 15, settlePeriod: 17 },
};
const probed = (providerId: number, index: number, outcome: Probed["outcome"] = "served"): Probed => ({
  ...{ providerId, index, at: 1, outcome, firstByteMs: 10, bodyMs: 0, bytes: 128 },
});

describe("a verifier's journal", () => {
  let dir: string;
  beforeEach(async () => {
    dir = join(await temporaryFolder(), "terms");
  });
  afterEach(removeTemporaryFolders);

  interface Sent {
    readonly id: string;
    readonly data: string;
  }

  async function open(sent: Sent[], fails = false): Promise<VerifierContext> {
    const encode = { encodeFunctionData: (name: string, args: unknown[]) => `${name} ${args.map(String).join(" ")}` };
    const context = {
      chain: { book: BOOK },
      committee: { interface: encode },
      sender: {
        send: async (id: string, { data }: { data: string }) => {
          sent.push({ id, data });
          if (fails) throw new PpioError("CHAIN_UNREACHABLE", "away");
          return { hash: "0x" };
        },
      },
      address: ME,
      journal: await VerifierJournal.open(dir, "a"),
      metrics: createVerifierMetrics(),
      log: createLogger({ component: "test", write: () => undefined }),
    };
    return context as unknown as VerifierContext;
  }

  it("has the report and its salt on the disk before the commitment leaves, and reveals the same after a crash", async () => {
    const sent: Sent[] = [];
    const first = await open(sent, true);
    for (const index of [0, 1, 2]) await first.journal.add(3, probed(1, index));
    expect(await codeOf(report(first, VIEW, 13))).to.equal("CHAIN_UNREACHABLE");
    const file = JSON.parse(await readFile(join(dir, "report-3.json"), "utf8")) as { salt: string; report: string };
    const domain = { chainId: 31_337n, committee: BOOK.committee };
    const expected = reportCommitment(domain, ME, 3, file.salt, file.report);
    expect(sent[0]?.data).to.equal(`commit 3 ${expected}`);
    // What is measured later, or again after the restart, changes nothing any more.
    const second = await open(sent);
    await second.journal.add(3, probed(2, 0));
    await report(second, VIEW, 13);
    expect(sent[1]?.data).to.equal(sent[0]?.data);
    const third = await open(sent);
    await report(third, { ...VIEW, hasCommitted: true }, 14);
    expect(sent[2]?.data).to.equal(`reveal ${ME} 3 ${file.salt} ${file.report}`);
    expect(decodeReport(file.report)).to.deep.equal([{ providerId: 1, score: 10_000 }]);
  });

  it("commits only in its window and reveals only in its own, once, as a member", async () => {
    const sent: Sent[] = [];
    const context = await open(sent);
    for (const [view, current] of [
      [VIEW, 12],
      [VIEW, 14],
      [{ ...VIEW, hasCommitted: true }, 13],
      [{ ...VIEW, hasCommitted: true }, 15],
      [{ ...VIEW, hasCommitted: true, hasRevealed: true }, 14],
      [{ ...VIEW, seat: -1 }, 13],
    ] as const) {
      expect(await report(context, view, current)).to.equal(false);
    }
    expect(sent).to.deep.equal([]);
  });

  it("commits to an empty report where nothing could be measured: silence costs more", async () => {
    const sent: Sent[] = [];
    const context = await open(sent);
    await report(context, VIEW, 13);
    expect((await context.journal.report(3))?.report).to.equal("0x");
    expect(sent).to.have.length(1);
  });

  it("makes a report of enough measurements, and nothing of a line that a crash cut off", async () => {
    const journal = await VerifierJournal.open(dir, "a");
    for (const index of [0, 1]) await journal.add(3, probed(5, index));
    await appendFile(join(dir, "probes-3.jsonl"), '\n{"providerId":5,"ind');
    expect(await journal.measurements(3)).to.have.length(2);
    await journal.add(3, probed(5, 2, "failed"));
    expect(await journal.measurements(3)).to.have.length(3);
  });

  it("keeps its seed, refuses another account's folder, and forgets old terms only", async () => {
    const journal = await VerifierJournal.open(dir, "a");
    expect((await VerifierJournal.open(dir, "a")).seed).to.deep.equal(journal.seed);
    expect(await codeOf(VerifierJournal.open(dir, "b"))).to.equal("CONFIG");
    for (const term of [1, 20]) await journal.seal(term, []);
    await journal.forgetBefore(20);
    expect((await readdir(dir)).sort()).to.deep.equal(["report-20.json", "verifier.json"]);
  });
});
