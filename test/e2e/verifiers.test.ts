/** Four verifiers as processes, one that lies and one that is silent, over providers that serve and one that does not. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { decodeReport } from "@ppio/core";
import { expect } from "chai";
import { committeeBooks, committeeOf, leastReadEarly, measuredAt, PlayedVerifier } from "../support/e2e/committee.ts";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";

const HONEST = 4;

describe("Verifiers on a devnet", function () {
  this.timeout(300_000);
  let devnet: Devnet;
  const bytes = randomBytes(100_000);
  let liar: PlayedVerifier;
  let silent: PlayedVerifier;
  let committee: ReturnType<typeof committeeOf>;
  /** Measured with all six on the committee. */
  let term: number;

  before(async () => {
    devnet = await Devnet.start(4, {}, "--verifiers", String(HONEST));
    committee = committeeOf(devnet);
    await writeFile(devnet.path("in"), bytes);
    await devnet.ok("put", devnet.path("in"), "ppio://judged/x", "--code", "2/4", "--periods", "360");
    [liar, silent] = await Promise.all([PlayedVerifier.join(devnet), PlayedVerifier.join(devnet)]);
    term = await devnet.until(async () => {
      const current = Number(await committee.currentTerm());
      return (await committee.listedAt(current)) === BigInt(HONEST + 2) && current;
    });
  });
  after(() => devnet.stop());

  const termNow = async () => Number(await committee.currentTerm());
  const inPeriod = async (period: bigint) => devnet.until(async () => BigInt(await devnet.period()) >= period);
  /** Whether one of the periods [from, until) is void. */
  const areVoid = async (from: bigint, until: bigint): Promise<boolean> => {
    for (let period = from; period < until; period += 1n) if (await devnet.contracts.proofs.isVoid(period)) return true;
    return false;
  };
  const members = async () => (await committee.termOf(term)).members;

  it("score what they measured, whatever a third of them says or keeps to itself", async () => {
    const { providers } = await devnet.json();
    const dead = await leastReadEarly(devnet, term, providers);
    const { openPeriod, commitPeriod, revealPeriod, finalisePeriod } = await committee.windowsOf(term);
    // What the term is about begins with the draw. Away until all is read, and back before it would be evicted for its misses: none before.
    await devnet.until(async () => (await members()).length === HONEST + 2);
    await devnet.until(
      async () => (await devnet.contracts.proofs.isProven(dead.providerId, openPeriod - 1n)) || (await devnet.period()) > openPeriod,
    );
    process.kill(await devnet.pidOf(dead.name), "SIGKILL");
    await inPeriod(openPeriod + 3n);
    await expectReadable(devnet, "ppio://judged/x", bytes);
    const readAt = await measuredAt(devnet, openPeriod, commitPeriod);
    await devnet.until(async () => BigInt((await devnet.rpc.getBlock("latest"))?.timestamp ?? 0) >= readAt);
    const restarted = devnet.ok("devnet", "restart", dead.name);
    await inPeriod(commitPeriod);
    await liar.commit(
      term,
      providers.map(({ providerId }) => ({ providerId, score: providerId === dead.providerId ? 10_000 : 0 })),
    );
    await restarted;
    // All honest ones commit; one of them dies before it reveals.
    await devnet.until(async () => (await committee.queryFilter(committee.filters.ReportCommitted(term))).length === HONEST + 1);
    process.kill(await devnet.pidOf("verifier-1"), "SIGKILL");
    await devnet.ok("devnet", "restart", "verifier-1");
    await inPeriod(revealPeriod);
    await liar.reveal(term);
    const reveals = await devnet.until(async () => {
      const events = await committee.queryFilter(committee.filters.ReportRevealed(term));
      return events.length === HONEST + 1 && events;
    });
    await inPeriod(finalisePeriod);
    const scores = await devnet.until(async () => {
      const events = await committee.queryFilter(committee.filters.ProviderScored(undefined, term));
      return events.length === providers.length && events;
    });
    const honest = reveals.filter(({ args }) => args.verifier !== liar.address).map(({ args }) => decodeReport(args.report));
    for (const { args } of scores) {
      const said = honest.flatMap((report) => report.filter(({ providerId }) => BigInt(providerId) === args.providerId));
      const all = said.map(({ score }) => score);
      expect(all).to.have.length(HONEST);
      expect(Number(args.score), `provider ${args.providerId}`).to.be.within(Math.min(...all), Math.max(...all));
      if (Number(args.providerId) === dead.providerId) expect(Number(args.score)).to.be.below(5_000);
      else expect(Number(args.score)).to.be.above(8_000);
    }
    const punished = await committee.queryFilter(committee.filters.ServicePenalised(undefined, term));
    expect(punished.map(({ args }) => Number(args.providerId))).to.deep.equal([dead.providerId]);
    const listed = await devnet.ok<{ providers: { standing: { score?: { score: number } } }[] }>("provider", "ls");
    expect(listed.providers.every(({ standing }) => standing.score !== undefined)).to.equal(true);
  });

  it("are settled: silence costs, lies earn nothing, honest reports earn, and the money adds up to the wei", async () => {
    await devnet.until(async () => (await termNow()) >= term + 2 && (await committee.termOf(term)).settled);
    const penalised = await committee.queryFilter(committee.filters.StakePenalised(undefined, term));
    // Nobody is to blame for silence when the beacon was late in the time to report, as it may be on a busy machine.
    const { commitPeriod, finalisePeriod } = await committee.windowsOf(term);
    const isExcused = await areVoid(commitPeriod, finalisePeriod);
    expect(penalised.map(({ args }) => args.verifier)).to.deep.equal(isExcused ? [] : [silent.address]);
    const { near, members: seats } = await committee.termOf(term);
    expect(near[seats.indexOf(liar.address)]).to.equal(0n);
    const honestSeats = seats.filter((seat) => seat !== liar.address && seat !== silent.address);
    expect(honestSeats.every((seat) => (near[seats.indexOf(seat)] ?? 0n) > 0n)).to.equal(true);
    expect(await committee.creditOf(liar.address)).to.equal(0n);
    const { holds, owes } = await committeeBooks(devnet);
    expect(holds).to.equal(owes);
    await expectReadable(devnet, "ppio://judged/x", bytes);
    await expectBooksToBalance(devnet);
  });
});
