/** A chain that stands still, on real processes: it is nobody's fault, and nobody's bytes are out of reach. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";

/** Of a devnet: two periods, the seed's delay and its greatest lag, and some. */
const HALT_MS = 35_000;

describe("A halt of the chain on a devnet", function () {
  this.timeout(240_000);
  let devnet: Devnet;
  const bytes = randomBytes(100_000);

  before(async () => {
    devnet = await Devnet.start(4);
    await writeFile(devnet.path("in"), bytes);
    const { dealId } = await devnet.ok<{ dealId: string }>(
      "put",
      devnet.path("in"),
      "ppio://halted/x",
      "--code",
      "2/4",
      "--periods",
      "360",
    );
    const first = Number((await devnet.contracts.market.deal(dealId)).start);
    await devnet.until(async () => (await devnet.period()) > first);
  });
  after(() => devnet.stop());

  it("punishes nobody when the chain halts: the periods are void, and what is stored is read all the while", async () => {
    const { proofs } = devnet.contracts;
    const before = (await proofs.queryFilter(proofs.filters.PeriodMissed(), devnet.book.fromBlock)).length;
    const period = await devnet.period();
    const chain = await devnet.pidOf("chain");
    process.kill(chain, "SIGSTOP");
    const stoppedAt = Date.now();
    const read = await devnet.run("get", "ppio://halted/x", devnet.path("read"));
    expect([read.status, read.stderr]).to.deep.equal([0, "the chain does not answer; read by what this machine knows of its deals\n"]);
    expect((await readFile(devnet.path("read"))).equals(bytes)).to.equal(true);
    // Nothing else can be awaited on a halted chain but time itself: wherever in a period the halt began, the next one's seed comes too late.
    await devnet.until(async () => Date.now() - stoppedAt > HALT_MS);
    process.kill(chain, "SIGCONT");
    await expectReadable(devnet, "ppio://halted/x", bytes);
    await devnet.until(async () => (await devnet.period()) >= period + 6);
    expect(await proofs.isVoid(period + 1)).to.equal(true);
    const misses = await proofs.queryFilter(proofs.filters.PeriodMissed(), devnet.book.fromBlock);
    const during = misses.slice(before).filter(({ args }) => args.period >= BigInt(period) && args.period <= BigInt(period) + 1n);
    expect(during).to.deep.equal([]);
    await expectBooksToBalance(devnet);
  });
});
