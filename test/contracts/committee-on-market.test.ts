/** VerifierCommittee on the real market, proofs, registry and beacon, wired as a deployment wires them. No double stands between. */
import { expect } from "chai";
import { deployCommitteeOnMarket, PARAMS, PENALTY_GAS, TOKEN } from "../support/contracts/committee.ts";
import { GWEI } from "../support/contracts/parameters.ts";
import type { TestProvider } from "../support/contracts/world.ts";

const BPS = 10_000n;
const FUND_WEI = 100n * TOKEN;
const GOOD = 9_000;
const BAD = 2_000;

/** Ten verifiers, four providers that prove whatever is due, one deal, and a filled repair fund. */
async function stage() {
  const made = await deployCommitteeOnMarket(10);
  const { world } = made;
  const providers: TestProvider[] = [];
  for (let i = 0; i < 4; i += 1) providers.push(await world.addProvider(i));
  const deal = await world.open(providers, { periods: 200 });
  made.eachPeriod = async (period) => {
    if (period - 1 < deal.terms.startBy) return;
    for (const { providerId } of providers) await world.prove(providerId, period - 1);
  };
  await made.endow(FUND_WEI);
  const term = await made.nextCommittee();
  return { made, world, providers, deal, term };
}

describe("VerifierCommittee on the real market", function () {
  this.timeout(120_000);
  let all: Awaited<ReturnType<typeof stage>>;

  before(async () => {
    all = await stage();
  });

  const idOf = (at: number): number => all.providers[at]?.providerId ?? expect.fail(`no provider ${at}`);
  const fundWei = () => all.world.market.repairFundWei();
  const collateralWei = async (at: number) => (await all.world.registry.getProvider(idOf(at))).collateralWei;
  const booksAreExact = async (): Promise<void> => {
    const { made, world, deal } = all;
    const accounts = await Promise.all(world.signers.slice(0, 40).map((signer) => signer.address));
    const holders = [...accounts, ...made.verifiers.map(({ address }) => address), made.address];
    expect(await world.token.balanceOf(world.market)).to.equal(await world.bookedWei([deal], holders));
    expect(await world.token.balanceOf(made.committee)).to.equal(await made.bookedWei());
  };

  it("takes a bad provider's service penalty out of its collateral, and nothing of a good one's", async () => {
    const { made, term, world } = all;
    const entries = [0, 1].map((at) => ({ providerId: idOf(at), score: at === 1 ? BAD : GOOD }));
    await made.report(
      term,
      (await made.members(term)).map(() => entries),
    );
    const before = [await collateralWei(0), await collateralWei(1)];
    const bps = (BigInt(PARAMS.maxServiceBps) * (BigInt(PARAMS.thresholdScore) - BigInt(BAD))) / BigInt(PARAMS.thresholdScore);
    const finalised = made.committee.finalise(term, [idOf(0), idOf(1)]);
    await expect(finalised).to.emit(made.committee, "ServicePenalised").withArgs(idOf(1), term, bps);
    await expect(finalised).to.emit(world.proofs, "ServiceSlashed");
    expect(await made.committee.PENALTY_GAS()).to.equal(PENALTY_GAS);
    expect((await (await finalised).wait())?.gasUsed).to.be.lessThan(PENALTY_GAS);
    expect(await collateralWei(0)).to.equal(before[0]);
    expect(await collateralWei(1)).to.equal((before[1] ?? 0n) - ((((before[1] ?? 0n) / GWEI) * bps) / BPS) * GWEI);
    await booksAreExact();
  });

  it("pays members out of the repair fund, at most its hundredth, in tokens that they can take home", async () => {
    const { made, term, world } = all;
    await made.toSettlement(term);
    const before = await fundWei();
    await made.committee.settle(term);
    const paid = before - (await fundWei());
    expect(paid).to.equal(before / 100n);
    const members = await made.members(term);
    const credits = await Promise.all(members.map(({ address }) => made.committee.creditOf(address)));
    expect(credits.reduce((sum, credit) => sum + credit, 0n)).to.equal(paid);
    await booksAreExact();

    const [member] = members;
    if (member === undefined) throw new Error("no members");
    const held = await world.token.balanceOf(member);
    await made.committee.connect(member).withdrawCredit(member);
    expect((await world.token.balanceOf(member)) - held).to.equal(credits[0]);
    await booksAreExact();
  });

  it("leaves the committee no credit in the market: what was paid has arrived", async () => {
    expect(await all.world.market.creditOf(all.made.committee)).to.equal(0n);
  });
});
