/** A provider that is up one period in three, on real processes: each incident costs more than the one before, and none evicts. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";

const BPS = 10_000n;
const GWEI = 1_000_000_000n;
const [WARNING, PROPORTIONAL] = [0n, 1n];
const INCIDENTS = 3;
/** Of the devnet (docs/protocol/penalties.md). */
const [MISS_BPS, REPEAT_BPS, MOST_BPS] = [500n, 250n, 3_000n];

describe("A provider that flaps", function () {
  this.timeout(240_000);
  let devnet: Devnet;
  let flapper: number;
  const bytes = randomBytes(500_000);

  before(async () => {
    devnet = await Devnet.start(4);
    await writeFile(devnet.path("in"), bytes);
    const { dealId } = await devnet.ok<{ dealId: string }>("put", devnet.path("in"), "ppio://flap/x", "--code", "2/4", "--periods", "300");
    flapper = Number((await devnet.contracts.market.slot(dealId, 1)).providerId);
  });
  after(() => devnet.stop());

  async function misses() {
    const { proofs } = devnet.contracts;
    return (await proofs.queryFilter(proofs.filters.PeriodMissed(flapper), devnet.book.fromBlock)).map(({ args, blockNumber }) => ({
      ...{ period: Number(args.period), tier: args.tier, consecutive: args.consecutive, slashedWei: args.slashedWei },
      blockNumber,
    }));
  }

  it("pays for every miss but the first, more with each of an incident and with each incident, and stays in business", async () => {
    const { proofs, registry } = devnet.contracts;
    for (let incident = 0; incident < INCIDENTS; incident += 1) {
      const up = await devnet.until(async () => {
        const current = await devnet.period();
        return (await proofs.isProven(flapper, current - 1)) && current;
      });
      process.kill(await devnet.pidOf(`provider-${flapper}`), "SIGKILL");
      if (incident === 0) {
        await expectReadable(devnet, "ppio://flap/x", bytes);
      }
      // Away for the windows of two periods, back for that of the third.
      await devnet.until(async () => (await devnet.period()) >= up + 3);
      await devnet.ok("devnet", "restart", `provider-${flapper}`);
    }
    // One that came back late misses more of an incident than two. All is read as of one block: another miss may be reported just now.
    const { seen, at } = await devnet.until(async () => {
      const blockTag = (await devnet.rpc.getBlockNumber()) - 1;
      const until = (await misses()).filter(({ blockNumber }) => blockNumber <= blockTag);
      return until.filter(({ consecutive }) => consecutive === 2n).length >= INCIDENTS && { seen: until, at: { blockTag } };
    });
    expect(seen[0]).to.deep.include({ tier: WARNING, slashedWei: 0n });
    let incidents = 0n;
    let collateralWei =
      (await registry.getProvider(flapper, at)).collateralWei + seen.reduce((sum, { slashedWei }) => sum + slashedWei, 0n);
    let atStartWei = collateralWei;
    const firstCosts: bigint[] = [];
    for (const { tier, consecutive, slashedWei } of seen) {
      if (consecutive === 1n) {
        incidents += 1n;
        atStartWei = collateralWei;
      }
      const bps = (MISS_BPS + REPEAT_BPS * (incidents - 1n)) * consecutive;
      const expected = (atStartWei * (bps < MOST_BPS ? bps : MOST_BPS)) / BPS;
      if (tier === PROPORTIONAL) expect(slashedWei).to.equal(expected - (expected % GWEI));
      if (consecutive === 2n) firstCosts.push((slashedWei * BPS) / atStartWei);
      collateralWei -= slashedWei;
    }
    expect(seen.filter(({ tier }) => tier === WARNING)).to.have.length(1);
    expect(seen.filter(({ tier }) => tier === PROPORTIONAL)).to.have.length(seen.length - 1);
    expect(incidents).to.equal(BigInt(INCIDENTS));
    expect(firstCosts, "the second miss of an incident, in shares of the collateral").to.deep.equal([1_000n, 1_500n, 2_000n]);
    expect(await registry.evictedAtPeriod(flapper)).to.equal(0n);
  });

  it("keeps the network's books in order to the wei, and its bytes readable", async () => {
    await expectReadable(devnet, "ppio://flap/x", bytes);
    expect((await expectBooksToBalance(devnet)).slashedWei).to.be.greaterThan(0n);
  });
});
