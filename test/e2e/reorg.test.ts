/** A chain that takes its last ten blocks back, on real processes: what was in them is sent again, and nobody is punished. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";

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
  /** Newest one that they were taken back of. */
  let last: number;
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

  /** The newest period after `last`, once everybody has proven it; one that somebody was late for is not waited for. */
  const newlyProven = (): Promise<number> =>
    devnet.until(async () => {
      const period = (await devnet.period()) - 1;
      return period > last && (await everybodyProved(period)) && period;
    });

  it("takes proofs back, which come again before their period is missed", async () => {
    const { proofs, beacon } = devnet.contracts;
    last = first - 1;
    for (let reorgs = 0; reorgs < REORGS; ) {
      const period = await newlyProven();
      // The seed stays: one that is taken back as well may come again too late for its period.
      const [seed] = await beacon.queryFilter(beacon.filters.BeaconSubmitted(await proofs.seedRound(period)), devnet.book.fromBlock);
      const kept = seed?.blockNumber ?? 0;
      const tip = await devnet.until(async () => {
        const number = await devnet.rpc.getBlockNumber();
        return number >= kept + REORG_BLOCKS && number;
      });
      await devnet.rpc.send("anvil_reorg", [REORG_BLOCKS, []]);
      // As of then: they may have come again by now. When blocks were faster than this test, the proofs stayed as well.
      if (!(await everybodyProved(period, tip - 1))) reorgs += 1;
      await expectReadable(devnet, "ppio://kept/x", bytes);
      await devnet.until(() => everybodyProved(period));
      last = period;
    }
  });

  it("takes a seed back with them, which comes again, or the period is void", async () => {
    const { proofs } = devnet.contracts;
    last = await newlyProven();
    await devnet.rpc.send("anvil_reorg", [REORG_BLOCKS, []]);
    await expectReadable(devnet, "ppio://kept/x", bytes);
    await devnet.until(async () => (await everybodyProved(last)) || (await proofs.isVoid(last)));
  });

  it("punishes nobody, loses nothing, and keeps books that add up to the wei (M1, R1)", async () => {
    const { proofs, registry } = devnet.contracts;
    // Misses of a period are reported from the second one after it on: another one for the oracle to do so.
    await devnet.until(async () => (await devnet.period()) >= last + 3);
    const missed = await proofs.queryFilter(proofs.filters.PeriodMissed(), devnet.book.fromBlock);
    expect(missed.map(({ args }) => `provider ${args.providerId} in period ${args.period}`)).to.deep.equal([]);
    for (const providerId of [1, 2, 3, 4]) {
      expect((await registry.getProvider(providerId)).collateralWei, `provider ${providerId}`).to.equal(1_000n * 10n ** 18n);
    }
    await expectReadable(devnet, "ppio://kept/x", bytes);
    await expectBooksToBalance(devnet);
  });
});
