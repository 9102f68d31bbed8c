/**
 * Verifiers under long random histories: honest ones, liars, silent ones, equivocators and thieves act at random from a seed, the beacon
 * and the fund fail at random, and after every step the books must balance to the wei. Then: what a minority of liars can do, what the
 * worst case costs, and that core and contract agree on medians.
 */
import { drawCommittee, measuredProviders, medianScore, type ReportEntry } from "@ppio/core";
import { expect } from "chai";
import { id, type Wallet } from "ethers";
import fc from "fast-check";
import {
  type CommitteeWorld,
  deployCommittee,
  type Entries,
  LEAVE_DELAY_TERMS,
  MIN_STAKE_WEI,
  receiptOf,
  TOKEN,
} from "../support/contracts/committee.ts";

const SEEDS = [1, 2, 3];
const TERMS = 14;
const PROVIDERS = [1, 2, 3, 9];
const SEATS = 9;

type Role = "honest" | "liar" | "silent" | "unrevealed" | "thin" | "equivocator";

/** A committee that has yet to report, with what each seat is going to do. */
interface Committee {
  readonly term: number;
  readonly members: readonly Wallet[];
  readonly roles: readonly Role[];
  readonly reports: readonly Entries[];
}

/** Small and repeatable (mulberry32); a failing seed can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const succeeds = (call: Promise<unknown>): Promise<boolean> =>
  call.then(
    () => true,
    () => false,
  );

class History {
  readonly made: CommitteeWorld;
  readonly #next: () => number;
  #last: Committee | undefined;
  readonly counts = { scored: 0, inRange: 0, slashed: 0, penalised: 0, voided: 0, settled: 0, withdrawn: 0 };

  constructor(made: CommitteeWorld, seed: number) {
    this.made = made;
    this.#next = random(seed);
  }

  chance(share: number): boolean {
    return this.#next() < share;
  }

  below(bound: number): number {
    return Math.floor(this.#next() * bound);
  }

  someone(): Wallet {
    const { verifiers } = this.made;
    return verifiers[this.below(verifiers.length)] ?? expect.fail("nobody");
  }

  /** V1, V11: the books, and the list against everyone's status. */
  async check(): Promise<void> {
    const { made } = this;
    const { committee, world } = made;
    expect(await world.token.balanceOf(committee)).to.equal(await made.bookedWei([world.reporter]));
    const term = (await made.term()) + 1;
    const listed = Number(await committee.listedAt(term));
    const entries = new Set<string>();
    for (let at = 0; at < listed; at += 1) entries.add(await committee.entryAt(term, at));
    const states = await Promise.all(made.verifiers.map(({ address }) => committee.verifierOf(address)));
    const active = made.verifiers.filter((_, at) => states[at]?.status === 1n).map(({ address }) => address);
    expect(entries.size).to.equal(listed);
    expect([...entries].sort()).to.deep.equal(active.sort());
    for (const { status, stakeWei } of states) {
      if (status === 1n) expect(stakeWei >= MIN_STAKE_WEI / 2n).to.equal(true);
      if (status === 0n || status === 3n) expect(stakeWei).to.equal(0n);
    }
  }

  async comeAndGo(): Promise<void> {
    const { committee } = this.made;
    if (this.chance(0.6)) await this.made.addVerifier(MIN_STAKE_WEI + BigInt(this.below(1_000)));
    const who = committee.connect(this.someone());
    if (this.chance(0.3)) await succeeds(who.leave());
    if (this.chance(0.2)) await succeeds(who.join(BigInt(this.below(2)) * MIN_STAKE_WEI));
    if (this.chance(0.4)) await succeeds(who.topUp(this.someone(), BigInt(this.below(1_000_000))));
    for (const verifier of this.made.verifiers) {
      if (this.chance(0.3) && (await succeeds(committee.connect(verifier).withdrawStake(verifier)))) this.counts.withdrawn += 1;
    }
    if (this.chance(0.5)) await succeeds(who.withdrawCredit(this.someone()));
    if (this.chance(0.5)) await succeeds(committee.forwardSlashed());
    await this.made.fund.setUp(this.made.address, 0n, false);
    if (this.chance(0.5)) await this.made.endow(BigInt(this.below(50)) * TOKEN + 1n);
    await this.made.fund.setUp(this.made.address, BigInt(1 + this.below(60)) * TOKEN, this.chance(0.1));
    await this.made.penalties.refuse(this.below(4), this.chance(0.5), this.chance(0.5));
  }

  /** A stranger tries every door. */
  async steal(term: number, member: Wallet): Promise<void> {
    const thief = this.made.world.signer(5);
    const committee = this.made.committee.connect(thief);
    for (const call of [
      () => committee.withdrawStake(thief),
      () => committee.withdrawCredit(thief),
      () => committee.leave(),
      () => committee.commit(term, id("x")),
      () => committee.commitWithSig(member, term, id("x"), "0x"),
      () => committee.joinWithSig(member, 0n, 4_000_000_000n, "0x"),
      () => committee.reportEquivocation(member, term, id("x"), "0x", id("y"), "0x"),
      () => this.made.fund.connect(thief).payFromRepairFund(thief, 1n),
    ]) {
      expect(await succeeds(call())).to.equal(false);
    }
  }

  role(): Role {
    const at = this.below(20);
    if (at < 12) return "honest";
    return (["liar", "liar", "liar", "silent", "silent", "unrevealed", "thin", "equivocator"] as const)[at - 12] ?? "honest";
  }

  reportOf(role: Role, truth: number): ReportEntry[] {
    const lie = this.chance(0.5) ? 0 : 10_000;
    return PROVIDERS.slice(0, role === "thin" ? 1 : PROVIDERS.length).map((providerId) => ({
      providerId,
      score: role === "liar" ? lie : truth - 300 + this.below(600),
    }));
  }

  /** One term: settle the one before the last, draw this one's committee, and let the last one's report and be scored. */
  async pass(step: number): Promise<void> {
    const { made } = this;
    const term = (await made.term()) + 1;
    const { open } = await made.windows(term);
    // The seed of the term, or of a period of a window, comes too late.
    const outage = step === 5 ? open - 1 : this.chance(0.25) ? open - 1 + this.below(3) : -1;
    made.withheld = (period) => period === outage;
    await made.toPeriod(open);
    const before = await made.committee.owedToFundWei();
    if (await succeeds(made.committee.settle(term - 2))) this.counts.settled += 1;
    if ((await made.committee.owedToFundWei()) > before) this.counts.penalised += 1;
    await this.check();
    await this.comeAndGo();
    await this.check();
    const last = this.#last;
    this.#last = undefined;
    if (await succeeds(made.committee.drawCommittee(term))) {
      const members = await made.members(term);
      const roles = members.map(() => this.role());
      const truth = 2_000 + this.below(7_000);
      this.#last = { term, members, roles, reports: roles.map((role) => this.reportOf(role, truth)) };
    } else this.counts.voided += 1;
    if (last !== undefined) await this.reportOn(last);
  }

  async reportOn({ term, members, roles, reports }: Committee): Promise<void> {
    const { made } = this;
    for (const [seat, member] of members.entries()) {
      if (roles[seat] !== "silent") await succeeds(made.commit(term, member, reports[seat] ?? []));
      if (roles[seat] === "equivocator") await this.accuse(term, member);
    }
    await this.check();
    const { reveal, finalise } = await made.windows(term);
    await made.toPeriod(reveal);
    for (const [seat, member] of members.entries()) {
      if (roles[seat] !== "unrevealed") await succeeds(made.reveal(term, member, reports[seat] ?? []));
    }
    await this.steal(term, members[0] ?? this.someone());
    await this.check();
    await made.toPeriod(finalise);
    await made.committee.finalise(term, [...PROVIDERS, 77, 1]);
    await this.checkScores(term, roles, reports);
    await this.check();
  }

  async accuse(term: number, member: Wallet): Promise<void> {
    const [a, b] = [id("a"), id("b")];
    const [sigA, sigB] = [await this.made.signCommit(member, term, a), await this.made.signCommit(member, term, b)];
    const committee = this.made.committee.connect(this.made.world.reporter);
    if (await succeeds(committee.reportEquivocation(member, term, a, sigA, b, sigB))) this.counts.slashed += 1;
  }

  /** V5: as core computes it; with less than a third of liars inside what honest members said. */
  async checkScores(term: number, roles: readonly Role[], reports: readonly Entries[]): Promise<void> {
    const { revealedSeats } = await this.made.committee.termOf(term);
    for (const providerId of PROVIDERS) {
      const revealed = reports.flatMap((entries, seat) =>
        (Number(revealedSeats) >> seat) & 1
          ? entries.filter((entry) => entry.providerId === providerId).map(({ score }) => ({ seat, score }))
          : [],
      );
      const expected = medianScore(
        revealed.map(({ score }) => score),
        roles.length,
      );
      const latest = await this.made.committee.scoreOf(providerId);
      if (expected === undefined) {
        expect(latest.term).to.not.equal(BigInt(term));
        continue;
      }
      this.counts.scored += 1;
      expect([latest.score, latest.term]).to.deep.equal([BigInt(expected), BigInt(term)]);
      const honest = revealed.filter(({ seat }) => roles[seat] !== "liar").map(({ score }) => score);
      if ((revealed.length - honest.length) * 3 >= roles.length) continue;
      this.counts.inRange += 1;
      expect(expected).to.be.within(Math.min(...honest), Math.max(...honest));
    }
  }

  async run(): Promise<void> {
    for (let step = 0; step < TERMS; step += 1) await this.pass(step);
  }

  /** V10: everybody gets out with all that is theirs, and nothing is left behind. */
  async empty(): Promise<void> {
    const { committee, verifiers, world } = this.made;
    this.made.withheld = () => false;
    for (const verifier of verifiers) await succeeds(committee.connect(verifier).leave());
    await this.made.toTerm((await this.made.term()) + LEAVE_DELAY_TERMS);
    for (const account of [...verifiers, world.reporter]) {
      if (await succeeds(committee.connect(account).withdrawStake(account))) this.counts.withdrawn += 1;
      await succeeds(committee.connect(account).withdrawCredit(account));
    }
    await this.made.fund.setUp(this.made.address, 0n, false);
    await succeeds(committee.forwardSlashed());
    expect(await world.token.balanceOf(committee)).to.equal(0n);
  }
}

describe("VerifierCommittee: random histories (V1, V5, V8, V9, V10, V11)", function () {
  this.timeout(300_000);
  const total = { scored: 0, inRange: 0, slashed: 0, penalised: 0, voided: 0, settled: 0, withdrawn: 0 };
  for (const seed of SEEDS) {
    it(`adds up to the wei through ${TERMS} random terms, seed ${seed}`, async () => {
      const made = await deployCommittee({ verifiers: 14 });
      const history = new History(made, seed);
      await history.run();
      await history.empty();
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += history.counts[key];
    });
  }

  it("saw everything happen", () => {
    for (const count of Object.values(total)) expect(count, JSON.stringify(total)).to.be.greaterThan(0);
    expect(total.inRange).to.be.greaterThan(10);
  });
});

describe("VerifierCommittee: a minority of liars", () => {
  const committees = fc.integer({ min: 4, max: 15 }).chain((seats) =>
    fc.record({
      seats: fc.constant(seats),
      honest: fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: seats, maxLength: seats }),
      lies: fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: Math.ceil(seats / 3) - 1 }),
      silent: fc.nat(),
    }),
  );

  it("V5: of less than a third cannot move a score outside what honest members measured, whoever else is silent", () => {
    fc.assert(
      fc.property(committees, ({ seats, honest, lies, silent }) => {
        const quorum = Math.ceil((2 * seats) / 3);
        const least = Math.max(0, quorum - lies.length);
        const heard = honest.slice(0, least + (silent % (seats - lies.length - least + 1)));
        const score = medianScore([...heard, ...lies], seats) ?? -1;
        expect(score).to.be.within(Math.min(...heard), Math.max(...heard));
      }),
      { numRuns: 5_000 },
    );
  });

  it("V5: can do so from half of the reports on, so that the bound is not idle", () => {
    expect(medianScore([9_000, 9_000, 9_000, 0, 0, 0, 0], 9)).to.equal(0);
  });

  it("V5: the last revealer's choice moves a score by one rank at most", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 10, maxLength: 14 }),
        fc.integer({ min: 0, max: 10_000 }),
        (others, last) => {
          const ranks = [...others].sort((a, b) => a - b);
          const half = Math.floor(ranks.length / 2);
          const [low = 0, high = 0] = [ranks[half - 1], ranks[ranks.length % 2 === 1 ? half + 1 : half]];
          for (const scores of [others, [...others, last]]) expect(medianScore(scores, 15)).to.be.within(low, high);
        },
      ),
    );
  });
});

describe("VerifierCommittee: core and contract agree", function () {
  this.timeout(60_000);
  it("on medians, quorums and nearness of random reports", async () => {
    const made = await deployCommittee({ verifiers: SEATS });
    const next = random(11);
    const term = await made.nextCommittee();
    const ids = Array.from({ length: 24 }, (_, at) => at * 7 + 1);
    const reports = Array.from({ length: SEATS }, () =>
      ids.filter(() => next() < 0.75).map((providerId) => ({ providerId, score: Math.floor(next() * 10_001) })),
    );
    await made.report(term, reports);
    const most = Number(await made.committee.FINALISE_MAX());
    for (let at = 0; at < ids.length; at += most) await made.committee.finalise(term, ids.slice(at, at + most));
    const near = new Array<number>(SEATS).fill(0);
    let scored = 0;
    for (const providerId of ids) {
      const of = reports.map((entries) => entries.find((entry) => entry.providerId === providerId)?.score);
      const expected = medianScore(
        of.filter((score) => score !== undefined),
        SEATS,
      );
      const latest = await made.committee.scoreOf(providerId);
      expect(latest.term).to.equal(expected === undefined ? 0n : BigInt(term));
      if (expected === undefined) continue;
      expect(latest.score).to.equal(BigInt(expected));
      scored += 1;
      for (const [seat, score] of of.entries())
        if (score !== undefined && Math.abs(score - expected) <= 1_000) near[seat] = (near[seat] ?? 0) + 1;
    }
    expect(scored).to.be.within(5, 23);
    const state = await made.committee.termOf(term);
    expect(Number(state.scored)).to.equal(scored);
    expect(state.near.map(Number)).to.deep.equal(near);
  });

  it("on which providers a member measures when there are too many", () => {
    expect(measuredProviders(id("seed"), 3)).to.deep.equal([1, 2, 3]);
    expect(measuredProviders(id("seed"), 0)).to.deep.equal([]);
    const many = measuredProviders(id("seed"), 10_000);
    expect(new Set(many).size).to.equal(512);
    expect(Math.min(...many)).to.be.greaterThan(0);
    expect(() => drawCommittee({ seed: id("seed"), committee: `0x${"11".repeat(20)}`, term: 1 }, 3, 4)).to.throw();
  });
});

describe("VerifierCommittee: worst cases fit", function () {
  this.timeout(300_000);
  /** Of a transaction, under the rules after prague too (EIP-7825). */
  const CAP = 16_777_216n;

  it("every entry point, with the largest committee, report and windows", async () => {
    const made = await deployCommittee({ verifiers: 30, config: { seatsMax: 15, termPeriods: 97, commitPeriods: 48, revealPeriods: 48 } });
    const gas: Record<string, bigint> = {};
    const measure = async (name: string, call: Parameters<typeof receiptOf>[0]) => {
      gas[name] = (await receiptOf(call)).gasUsed;
    };
    await measure("join", made.committee.connect(await made.newAccount()).join(MIN_STAKE_WEI));
    const term = (await made.term()) + 1;
    const { open, commit, reveal, finalise, settle } = await made.windows(term);
    await made.world.enter(open);
    await made.world.seed(open - 1);
    await measure("drawCommittee", made.committee.drawCommittee(term));
    const leaver = made.verifiers[0] ?? expect.fail();
    await measure("leave", made.committee.connect(leaver).leave());
    const members = await made.members(term);
    const entries = Array.from({ length: 512 }, (_, at) => ({ providerId: 1_000_000 + at, score: 0 }));
    await made.world.enter(commit);
    const [first = expect.fail(), ...others] = members;
    await measure("commit", made.committee.connect(first).commit(term, made.commitment(term, first.address, entries)));
    for (const member of others) {
      const commitment = made.commitment(term, member.address, entries);
      await measure(
        "commitWithSig",
        made.committee.commitWithSig(member, term, commitment, await made.signCommit(member, term, commitment)),
      );
    }
    await made.toPeriod(reveal);
    gas["reveal of 512, words new"] = (await made.reveal(term, first, entries)).gasUsed;
    for (const member of others) gas["reveal of 512, words used"] = (await made.reveal(term, member, entries)).gasUsed;
    await made.toPeriod(finalise);
    const ids = entries.map(({ providerId }) => providerId);
    const most = Number(await made.committee.FINALISE_MAX());
    await measure("finalise, most", made.committee.finalise(term, ids.slice(0, most)));
    for (const providerId of ids.slice(most, 2 * most)) await made.penalties.refuse(providerId, false, true);
    await measure("finalise, most, penalties burn all", made.committee.finalise(term, ids.slice(most, 2 * most)));
    await made.toPeriod(settle);
    await made.endow(1_000n * TOKEN);
    await measure("settle", made.committee.settle(term));
    const [a, b] = [id("a"), id("b")];
    const proof = [a, await made.signCommit(first, term, a), b, await made.signCommit(first, term, b)] as const;
    await measure("reportEquivocation", made.committee.reportEquivocation(first, term, ...proof));
    await measure("forwardSlashed", made.committee.forwardSlashed());
    await measure("withdrawCredit", made.committee.connect(members[1] ?? first).withdrawCredit(first));
    await made.world.enter((await made.windows(term + LEAVE_DELAY_TERMS)).open);
    await measure("withdrawStake", made.committee.connect(leaver).withdrawStake(first));
    if (process.env["PPIO_PRINT_GAS"] !== undefined) console.table(gas);
    for (const [name, used] of Object.entries(gas)) expect(used < CAP, `${name}: ${used}`).to.equal(true);
    expect((gas["reveal of 512, words new"] ?? CAP) < 13_500_000n).to.equal(true);
    expect((gas["drawCommittee"] ?? CAP) < 400_000n).to.equal(true);
  });
});
