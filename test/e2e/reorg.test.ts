/** A chain that takes its last ten blocks back, on real processes: what was in them is sent again, and nobody is punished. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { readBooks } from "../support/e2e/books.ts";
import { Devnet } from "../support/e2e/devnet.ts";

const REORG_BLOCKS = 10;
/** Of one second a block: a proof that is taken back can be sent again in time. */
const PERIOD_SECONDS = 30;
const REORGS = 2;

describe("A reorganisation of ten blocks on a devnet", function () {
  this.timeout(300_000);
  let devnet: Devnet;
  let dealId: string;
  /** First period whose proofs are taken back: the deal was opened in the one before, in blocks that stay. */
  let first: number;
  const bytes = randomBytes(300_000);

  before(async () => {
    devnet = await Devnet.start(4, {}, "--period-seconds", String(PERIOD_SECONDS));
    await writeFile(devnet.path("in"), bytes);
    ({ dealId } = await devnet.ok<{ dealId: string }>("put", devnet.path("in"), "ppio://kept/x", "--code", "2/4", "--periods", "100"));
    first = Number((await devnet.contracts.market.deal(dealId)).start) + 1;
  });
  after(() => devnet.stop());

  const everybodyProved = async (period: number, blockTag: number | "latest" = "latest"): Promise<boolean> => {
    const { proofs } = devnet.contracts;
    const proven = await Promise.all([1, 2, 3, 4].map((providerId) => proofs.isProven(providerId, period, { blockTag })));
    return proven.every((yes) => yes);
  };

  it("takes proofs back, which come again before their period is missed", async () => {
    for (let period = first; period < first + REORGS; period += 1) {
      // In blocks that are there: a call without one may meet what the coming block will hold.
      const tip = await devnet.until(async () => {
        const number = await devnet.rpc.getBlockNumber();
        return (await everybodyProved(period, number - 1)) && number;
      });
      await devnet.rpc.send("anvil_reorg", [REORG_BLOCKS, []]);
      // As of then: they may have come again by now.
      expect(await everybodyProved(period, tip - 1), "the proofs were in the blocks that went").to.equal(false);
      await devnet.until(() => everybodyProved(period));
    }
  });

  it("punishes nobody, loses nothing, and keeps books that add up to the wei (M1, R1)", async () => {
    const { proofs, registry } = devnet.contracts;
    // Misses of a period are reported from the second one after it on: another one for the oracle to do so.
    await devnet.until(async () => (await devnet.period()) >= first + REORGS + 2);
    const missed = await proofs.queryFilter(proofs.filters.PeriodMissed(), devnet.book.fromBlock);
    expect(missed.map(({ args }) => `provider ${args.providerId} in period ${args.period}`)).to.deep.equal([]);
    for (const providerId of [1, 2, 3, 4]) {
      expect((await registry.getProvider(providerId)).collateralWei, `provider ${providerId}`).to.equal(1_000n * 10n ** 18n);
    }
    await devnet.ok("get", "ppio://kept/x", devnet.path("out"));
    expect((await readFile(devnet.path("out"))).equals(bytes)).to.equal(true);
    const books = await readBooks(devnet);
    expect(books.marketHolds).to.equal(books.marketOwes);
    expect(books.registryHolds).to.equal(books.registryOwes);
  });
});
