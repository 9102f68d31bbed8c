/** VerifierCommittee: commitments, reveals, scores, settlement, equivocation. */
import { commitReportMessage, encodeReport, type ReportEntry } from "@ppio/core";
import { expect } from "chai";
import { AbiCoder, id, keccak256, type Wallet, ZeroAddress, ZeroHash } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import {
  type CommitteeWorld,
  deployCommittee,
  type Entries,
  LEAVE_DELAY_TERMS,
  MIN_STAKE_WEI,
  PARAMS,
  PENALTY_GAS,
  TOKEN,
} from "../support/contracts/committee.ts";

const SEATS = 9;
const REWARD_WEI = 10n * TOKEN;
const SILENT_WEI = MIN_STAKE_WEI / 100n;
const UNREVEALED_WEI = (MIN_STAKE_WEI * 3n) / 100n;
const HUGE = 2n ** 255n;

/** The same score for provider 7 from each seat. */
const scores = (...values: readonly (number | undefined)[]): (Entries | undefined)[] =>
  values.map((score) => (score === undefined ? undefined : [{ providerId: 7, score }]));
const everybody = (entries: Entries): Entries[] => Array.from({ length: SEATS }, () => entries);

describe("VerifierCommittee: reports and scores", () => {
  let made: CommitteeWorld;
  let term: number;
  let members: Wallet[];

  const fixture = async () => {
    const world = await deployCommittee({ verifiers: 10 });
    return { world, drawn: await world.nextCommittee() };
  };
  beforeEach(async () => {
    ({ world: made, drawn: term } = await networkHelpers.loadFixture(fixture));
    made.verifiers.length = 10;
    made.withheld = () => false;
    members = await made.members(term);
  });
  const refused = (call: Promise<unknown>, error: string, ...args: unknown[]) => {
    const assertion = expect(call).to.be.revertedWithCustomError(made.committee, error);
    return args.length === 0 ? assertion : assertion.withArgs(...args);
  };
  const member = (seat: number): Wallet => members[seat] ?? expect.fail(`no seat ${seat}`);
  const as = (wallet: Wallet) => made.committee.connect(wallet);
  const outsider = () => made.verifiers.find((wallet) => !members.includes(wallet)) ?? expect.fail("all are members");
  const scoreOf = async (providerId = 7) => {
    const { score, term: of } = await made.committee.scoreOf(providerId);
    return [Number(score), Number(of)];
  };
  const lostBy = async (seat: number) => MIN_STAKE_WEI - (await made.stakeOf(member(seat)));
  const creditOf = (seat: number) => made.committee.creditOf(member(seat));

  describe("commitments (V4)", () => {
    const entries: Entries = [{ providerId: 7, score: 9_000 }];

    it("are taken inside their window, of members, once", async () => {
      const { commit, reveal } = await made.windows(term);
      await refused(made.commit(term, member(0), entries), "OutsideWindow", term, commit - 4, commit, reveal);
      await refused(as(member(0)).commit(0, id("x")), "WrongTerm");
      await made.toPeriod(commit);
      await refused(made.commit(term, outsider(), entries), "NotAMember", term, outsider().address);
      await refused(made.committee.commit(term, id("x")), "NotAMember", term, made.world.signer(0).address);
      await refused(as(member(0)).commit(term, ZeroHash), "EmptyCommitment");
      await made.commit(term, member(0), entries);
      await refused(made.commit(term, member(0), []), "AlreadyCommitted", term, member(0).address);
      expect(await made.committee.commitmentOf(term, member(0))).to.equal(made.commitment(term, member(0).address, entries));
      await refused(made.committee.commitmentOf(term, outsider()), "NotAMember");
      await made.toPeriod(reveal);
      await refused(made.commit(term, member(1), entries), "OutsideWindow", term, reveal, commit, reveal);
    });

    it("are carried by anyone with the member's signature for this term, chain and contract", async () => {
      const carrier = made.committee;
      const [who, commitment] = [member(0), made.commitment(term, member(0).address, entries)];
      const carry = (signature: string) => carrier.commitWithSig(who, term, commitment, signature);
      await made.toPeriod((await made.windows(term)).commit);
      await refused(carry("0x"), "InvalidSignature", ZeroAddress, who.address);
      await refused(carry(await made.signCommit(member(1), term, commitment)), "InvalidSignature");
      await refused(carry(await made.signCommit(who, term + 1, commitment)), "InvalidSignature");
      await refused(carry(await made.signCommit(who, term, id("other"))), "InvalidSignature");
      await refused(carry(await made.signCommit(who, term, commitment, { chainId: 1n })), "InvalidSignature");
      await refused(carry(await made.signCommit(who, term, commitment, { verifyingContract: ZeroAddress })), "InvalidSignature");
      const domain = { chainId: made.chainId, committee: made.address };
      const signature = await commitReportMessage.sign(domain, { verifier: who.address, term, commitment }, who);
      await expect(carry(signature)).to.emit(carrier, "ReportCommitted").withArgs(term, who.address, commitment);
      await refused(carry(signature), "AlreadyCommitted");
    });
  });

  describe("reveals (V4)", () => {
    const entries: Entries = [{ providerId: 7, score: 9_000 }];

    it("are taken inside their window, of what was committed, once", async () => {
      const { commit, reveal, finalise } = await made.windows(term);
      await made.toPeriod(commit);
      await made.commit(term, member(0), entries);
      await made.commit(term, member(2), entries);
      await refused(made.reveal(term, member(0), entries), "OutsideWindow", term, commit, reveal, finalise);
      await made.toPeriod(reveal);
      await refused(made.reveal(term, member(1), entries), "NotCommitted", term, member(1).address);
      await refused(made.reveal(term, outsider(), entries), "NotAMember");
      await refused(made.reveal(term, member(0), [{ providerId: 7, score: 8_999 }]), "WrongReveal");
      await refused(made.committee.reveal(member(0), term, id("salt"), encodeReport(entries)), "WrongReveal");
      await made.reveal(term, member(0), entries);
      await refused(made.reveal(term, member(0), entries), "AlreadyRevealed", term, member(0).address);
      expect([...(await made.committee.revealedScores(term, 7))]).to.deep.equal([9_000n]);
      expect([...(await made.committee.revealedScores(term + 1, 7))]).to.deep.equal([]);
      await made.toPeriod(finalise);
      await refused(made.reveal(term, member(2), entries), "OutsideWindow");
    });

    it("cannot open a copied commitment, nor one of another term or contract", async () => {
      await made.toPeriod((await made.windows(term)).commit);
      await made.commit(term, member(0), entries);
      await as(member(1)).commit(term, made.commitment(term, member(0).address, entries));
      await as(member(2)).commit(term, made.commitment(term - 1, member(2).address, entries));
      await made.toPeriod((await made.windows(term)).reveal);
      const [salt, report] = [made.salt(term, member(0).address), encodeReport(entries)];
      await refused(made.committee.reveal(member(1), term, salt, report), "WrongReveal");
      await refused(made.committee.reveal(member(2), term, made.salt(term - 1, member(2).address), report), "WrongReveal");
      const other = await deployCommittee();
      expect(await other.committee.hashReport(member(0), term, salt, report)).to.not.equal(
        await made.committee.hashReport(member(0), term, salt, report),
      );
    });

    const long = encodeReport(Array.from({ length: 512 }, (_, at) => ({ providerId: at + 1, score: 1 })));
    for (const [name, report, error] of [
      ["half an entry", "0x000000072328ff", "InvalidReportLength"],
      ["513 entries", `${long}000002010001`, "InvalidReportLength"],
      ["provider 0", "0x000000002328", "NotAscending"],
      ["a provider twice", "0x000000072328000000072328", "NotAscending"],
      ["descending providers", "0x000000082328000000072328", "NotAscending"],
      ["a score of 10001", "0x000000072711", "ScoreTooHigh"],
    ] as const) {
      it(`refuses ${name}`, async () => {
        await made.toPeriod((await made.windows(term)).commit);
        const salt = id("salt");
        await as(member(0)).commit(term, await made.committee.hashReport(member(0), term, salt, report));
        await made.toPeriod((await made.windows(term)).reveal);
        await refused(made.committee.reveal(member(0), term, salt, report), error);
      });
    }
  });

  describe("scores (V5, V6)", () => {
    it("are made in their window, for few providers at a time", async () => {
      const { finalise, settle } = await made.windows(term);
      await refused(made.committee.finalise(term, [7]), "OutsideWindow", term, finalise - 6, finalise, settle);
      await made.report(term, scores(...new Array<number>(SEATS).fill(9_000)));
      await refused(made.committee.finalise(term, new Array<number>(9).fill(7)), "TooManyProviders", 9n, 8n);
      await made.toSettlement(term);
      await refused(made.committee.finalise(term, [7]), "OutsideWindow", term, settle, finalise, settle);
    });

    it("need two thirds of the seats, silent ones counted", async () => {
      await made.report(term, scores(1_000, 2_000, 3_000, 4_000, 5_000));
      expect(await made.committee.finalise.staticCall(term, [7, 8])).to.equal(0n);
      await made.committee.finalise(term, [7, 8]);
      expect(await scoreOf()).to.deep.equal([0, 0]);
    });

    it("are the median of those who reported, once per term", async () => {
      await made.report(term, scores(9_100, undefined, 9_000, 8_000, undefined, 9_500, 0, 10_000));
      expect(await made.committee.finalise.staticCall(term, [7, 7, 8])).to.equal(1n);
      await expect(made.committee.finalise(term, [7, 7, 8]))
        .to.emit(made.committee, "ProviderScored")
        .withArgs(7, term, 9_050, 6);
      expect(await scoreOf()).to.deep.equal([9_050, term]);
      await expect(made.committee.finalise(term, [7])).to.not.emit(made.committee, "ProviderScored");
      expect((await made.committee.termOf(term)).scored).to.equal(1n);
    });

    it("are kept as latest one and term; words of an earlier term count for nothing in the next", async () => {
      await made.report(term, scores(...new Array<number>(SEATS).fill(8_000)));
      await made.committee.finalise(term, [7]);
      const next = await made.nextCommittee();
      await made.report(next, scores(1, 2, 3, 4, 5));
      expect([...(await made.committee.revealedScores(next, 7))]).to.deep.equal([1n, 2n, 3n, 4n, 5n]);
      expect(await made.committee.finalise.staticCall(next, [7])).to.equal(0n);
      expect(await scoreOf()).to.deep.equal([8_000, term]);
    });

    for (const [score, bps] of [
      [0, 50n],
      [1_000, 40n],
      [4_900, 1n],
      [4_901, 0n],
      [5_000, 0n],
      [10_000, 0n],
    ] as const) {
      it(`V6: score ${score} costs ${bps} bps of collateral, once`, async () => {
        await made.report(term, scores(...new Array<number>(SEATS).fill(score)));
        await made.committee.finalise(term, [7]);
        await made.committee.finalise(term, [7]);
        expect(await made.penalties.takenBps(7)).to.equal(bps);
        expect(await made.penalties.calls()).to.equal(bps === 0n ? 0n : 1n);
      });
    }

    it("V6: a penalty that is refused, or burns its gas, changes nothing else", async () => {
      const entries = [6, 7, 8, 9].map((providerId) => ({ providerId, score: 0 }));
      await made.report(term, everybody(entries));
      await made.penalties.refuse(7, true, false);
      await made.penalties.refuse(8, false, true);
      await expect(made.committee.finalise(term, [6, 7, 8, 9]))
        .to.emit(made.committee, "ServicePenaltySkipped")
        .withArgs(7, term, 50n)
        .and.to.emit(made.committee, "ServicePenaltySkipped")
        .withArgs(8, term, 50n)
        .and.to.emit(made.committee, "ServicePenalised")
        .withArgs(9, term, 50n);
      for (const { providerId } of entries) expect(await scoreOf(providerId)).to.deep.equal([0, term]);
      expect(await made.penalties.calls()).to.equal(2n);
    });

    it("V6: nobody skips a penalty by sending too little gas", async () => {
      await made.report(term, scores(...new Array<number>(SEATS).fill(0)));
      await made.penalties.refuse(7, false, true);
      for (let gasLimit = 100_000; gasLimit <= PENALTY_GAS; gasLimit += 200_000) {
        await expect(made.committee.finalise(term, [7], { gasLimit })).to.be.revert(ethers);
      }
      expect(await scoreOf()).to.deep.equal([0, 0]);
    });
  });

  describe("settlement (V7, V9)", () => {
    const entries: Entries = [1, 2, 3, 4].map((providerId) => ({ providerId, score: 9_000 }));
    const ids = entries.map(({ providerId }) => providerId);

    /** Reports, scores and moves on to where the term can be settled. */
    const run = async (reports: readonly (Entries | undefined)[], providerIds = ids) => {
      await made.report(term, reports);
      await made.committee.finalise(term, providerIds);
      await made.toSettlement(term);
    };

    it("waits until the next term is over, and happens once", async () => {
      await made.report(term, everybody(entries));
      await refused(made.committee.settle(term), "OutsideWindow");
      await made.toSettlement(term);
      await made.committee.settle(term);
      await refused(made.committee.settle(term), "AlreadySettled", term);
    });

    it("pays who was near each score, in proportion to how often", async () => {
      await made.endow(1_000n * TOKEN);
      const far: ReportEntry[] = entries.map((entry) => ({ ...entry, score: 1_000 }));
      const half = entries.map((entry, at) => (at < 2 ? { ...entry, score: 7_999 } : { ...entry, score: 8_000 }));
      const few = entries.slice(0, 2);
      await run([entries, far, half, few, entries, entries, entries, entries, entries]);
      await made.committee.settle(term);
      const credits = await Promise.all(members.map((_, seat) => creditOf(seat)));
      expect(credits).to.deep.equal([REWARD_WEI, 0n, REWARD_WEI / 2n, REWARD_WEI / 2n, ...new Array<bigint>(5).fill(REWARD_WEI)]);
      for (let seat = 0; seat < SEATS; seat += 1) expect(await lostBy(seat)).to.equal(0n);
      await expect(as(member(0)).withdrawCredit(outsider())).to.emit(made.committee, "CreditWithdrawn");
      await refused(as(member(0)).withdrawCredit(outsider()), "NothingToWithdraw");
      expect(await made.world.token.balanceOf(made.committee)).to.equal(await made.bookedWei());
    });

    it("takes a small share from the silent, from thin reports and, more, from the unrevealed", async () => {
      await made.toPeriod((await made.windows(term)).commit);
      for (let seat = 1; seat < SEATS; seat += 1) await made.commit(term, member(seat), seat === 2 ? entries.slice(0, 1) : entries);
      await made.toPeriod((await made.windows(term)).reveal);
      for (let seat = 2; seat < SEATS; seat += 1) await made.reveal(term, member(seat), seat === 2 ? entries.slice(0, 1) : entries);
      await made.toPeriod((await made.windows(term)).finalise);
      await made.committee.finalise(term, ids);
      await made.toSettlement(term);
      await made.committee.settle(term);
      expect(await lostBy(0)).to.equal(SILENT_WEI);
      expect(await lostBy(1)).to.equal(UNREVEALED_WEI);
      expect(await lostBy(2)).to.equal(SILENT_WEI);
      for (let seat = 3; seat < SEATS; seat += 1) expect(await lostBy(seat)).to.equal(0n);
      const owedWei = 2n * SILENT_WEI + UNREVEALED_WEI;
      expect(await made.committee.owedToFundWei()).to.equal(owedWei);
      await made.committee.forwardSlashed();
      expect(await made.fund.balanceWei()).to.equal(owedWei);
      expect(await made.world.token.balanceOf(made.committee)).to.equal(await made.bookedWei());
    });

    it("punishes nobody when a period of the windows was void", async () => {
      const { commit, reveal } = await made.windows(term);
      for (const period of [commit, reveal]) {
        const snapshot = await networkHelpers.takeSnapshot();
        made.withheld = (at) => at === period;
        await run([entries, undefined, undefined, entries, entries, entries, entries, entries, entries]);
        await made.committee.settle(term);
        expect(await lostBy(1)).to.equal(0n);
        await snapshot.restore();
      }
    });

    it("shares what the fund has, to the wei, and does without", async () => {
      for (const [fundWei, broken, paidWei] of [
        [0n, false, 0n],
        [100n, false, 100n],
        [1_000n * TOKEN, true, 0n],
        [90n * TOKEN, false, 90n * TOKEN],
        [1_000n * TOKEN, false, 90n * TOKEN],
      ] as const) {
        const snapshot = await networkHelpers.takeSnapshot();
        if (fundWei > 0n) await made.endow(fundWei);
        await made.fund.setUp(made.address, HUGE, broken);
        await run(everybody(entries));
        await expect(made.committee.settle(term))
          .to.emit(made.committee, "TermSettled")
          .withArgs(term, 0n, 90n * TOKEN, paidWei);
        let sumWei = 0n;
        for (let seat = 0; seat < SEATS; seat += 1) sumWei += await creditOf(seat);
        expect(sumWei).to.equal(paidWei);
        expect(await made.world.token.balanceOf(made.committee)).to.equal(await made.bookedWei());
        await snapshot.restore();
      }
    });

    it("is not paid less because its caller sends too little gas", async () => {
      await made.endow(1_000n * TOKEN);
      await run(everybody(entries));
      const full = await made.committee.settle.estimateGas(term);
      for (let gasLimit = 100_000n; gasLimit < full; gasLimit += 50_000n) {
        const snapshot = await networkHelpers.takeSnapshot();
        const done = await made.committee.settle(term, { gasLimit }).then(
          () => true,
          () => false,
        );
        if (done) expect(await creditOf(0)).to.equal(REWARD_WEI);
        await snapshot.restore();
      }
    });

    it("takes a verifier below half of the minimum off the list, and lets it go", async () => {
      await made.committee.connect(made.world.signer(19)).setParams({ ...PARAMS, minStakeWei: 3_000n * TOKEN });
      await made.toTerm(term + 1);
      const late = await made.nextCommittee();
      const [poor = outsider()] = await made.members(late);
      await made.report(late, [undefined, ...everybody(entries).slice(1)]);
      await made.toSettlement(late);
      const listed = await made.committee.listedAt((await made.term()) + 1);
      await expect(made.committee.settle(late)).to.emit(made.committee, "VerifierLeaving");
      expect((await made.committee.verifierOf(poor.address)).status).to.equal(2n);
      expect(await made.committee.listedAt((await made.term()) + 1)).to.equal(listed - 1n);
      await refused(as(poor).join(TOKEN), "StakeTooLow");
      await made.toTerm((await made.term()) + LEAVE_DELAY_TERMS);
      await as(poor).withdrawStake(poor);
      expect(await made.world.token.balanceOf(made.committee)).to.equal(await made.bookedWei());
    });
  });

  describe("equivocation (V8)", () => {
    const [a, b] = [id("a"), id("b")];
    const finder = () => made.world.reporter;
    const evidence = async (who: Wallet, of = term, domain = {}) =>
      [who.address, of, a, await made.signCommit(who, of, a, domain), b, await made.signCommit(who, of, b, domain)] as const;
    const accuse = (proof: readonly [string, number, string, string, string, string]) =>
      made.committee.connect(finder()).reportEquivocation(...proof);

    it("is refused without two signatures of a member over two commitments of one term", async () => {
      const [who, of, , sigA, , sigB] = await evidence(member(0));
      await refused(accuse([who, of, a, sigA, a, sigA]), "NotEquivocation", who, of, a);
      await refused(accuse([who, of, a, sigB, b, sigB]), "InvalidSignature");
      await refused(accuse([who, of, a, sigA, b, sigA]), "InvalidSignature");
      await refused(accuse([who, of, a, sigA, b, "0x"]), "NotEquivocation", who, of, b);
      await refused(accuse([who, of, a, sigA, ZeroHash, "0x"]), "NotEquivocation", who, of, ZeroHash);
      await refused(accuse([who, of, a, "0x", b, sigB]), "InvalidSignature");
      await refused(accuse(await evidence(outsider())), "NotAMember", term, outsider().address);
      await refused(accuse(await evidence(member(0), term + 1)), "NoCommittee", term + 1);
      await refused(accuse(await evidence(member(0), term, { chainId: 1n })), "InvalidSignature");
      await refused(accuse(await evidence(member(0), term, { verifyingContract: ZeroAddress })), "InvalidSignature");
      const next = await made.nextCommittee();
      const both = (await made.members(next)).find((wallet) => members.includes(wallet)) ?? member(0);
      await refused(
        accuse([both.address, next, a, await made.signCommit(both, next, a), b, await made.signCommit(both, term, b)]),
        "InvalidSignature",
      );
    });

    it("takes the whole stake: 5 % to the finder, the rest to the fund; for good", async () => {
      const liar = member(0);
      await as(liar).topUp(liar, 7n);
      const stakeWei = await made.stakeOf(liar);
      const finderWei = (stakeWei * 5n) / 100n;
      await expect(accuse(await evidence(liar)))
        .to.emit(made.committee, "VerifierSlashed")
        .withArgs(liar.address, term, finder().address, finderWei, stakeWei - finderWei);
      expect(await made.committee.creditOf(finder())).to.equal(finderWei);
      expect(await made.committee.owedToFundWei()).to.equal(stakeWei - finderWei);
      expect(await made.world.token.balanceOf(made.committee)).to.equal(await made.bookedWei([finder()]));
      await refused(accuse(await evidence(liar)), "WrongStatus", liar.address, 3n);
      await refused(as(liar).join(MIN_STAKE_WEI), "WrongStatus", liar.address, 3n);
      await refused(as(liar).leave(), "WrongStatus", liar.address, 3n);
      await refused(as(liar).topUp(liar, 1n), "WrongStatus", liar.address, 3n);
      await refused(as(liar).withdrawStake(liar), "WrongStatus", liar.address, 3n);
      expect(await made.committee.listedAt(term + 1)).to.equal(9n);
      await made.toPeriod((await made.windows(term)).commit);
      await refused(as(liar).commit(term, a), "WrongStatus", liar.address, 3n);
    });

    it("is shown by one signature too, against the commitment on the chain", async () => {
      await made.toPeriod((await made.windows(term)).commit);
      await as(member(0)).commit(term, b);
      await accuse([member(0).address, term, a, await made.signCommit(member(0), term, a), b, "0x"]);
      expect(await made.stakeOf(member(0))).to.equal(0n);
      await made.toPeriod((await made.windows(term)).reveal);
      await refused(made.reveal(term, member(0), []), "WrongStatus");
    });

    it("reaches who left right after it, and not who has withdrawn; earns nothing", async () => {
      const [first, second] = [member(0), member(1)];
      await made.endow(1_000n * TOKEN);
      await as(first).leave();
      await as(second).leave();
      const entries: Entries = [{ providerId: 7, score: 9_000 }];
      await made.report(term, everybody(entries));
      await made.committee.finalise(term, [7]);
      await made.toTerm(term + LEAVE_DELAY_TERMS);
      await accuse(await evidence(first));
      expect(await made.stakeOf(first)).to.equal(0n);
      await made.committee.settle(term);
      expect(await made.committee.creditOf(first)).to.equal(0n);
      expect(await made.committee.creditOf(second)).to.equal(REWARD_WEI);
      await as(second).withdrawStake(second);
      await refused(accuse(await evidence(second)), "WrongStatus", second.address, 0n);
      expect(await made.world.token.balanceOf(made.committee)).to.equal(await made.bookedWei([finder()]));
    });
  });

  describe("storage", () => {
    /** First words at the entry `key` of the first mapping that has one there, looking from `from` on. */
    const wordsOf = async (key: number, count: number, from = 0): Promise<{ slot: number; words: bigint[] }> => {
      for (let slot = from; slot < 24; slot += 1) {
        const base = BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(["uint256", "uint256"], [key, slot])));
        const words: bigint[] = [];
        for (let at = 0n; at < count; at += 1n) words.push(BigInt(await ethers.provider.getStorage(made.committee, base + at)));
        if (words[0] !== 0n) return { slot, words };
      }
      return expect.fail("nothing there");
    };
    const lane = (word: bigint | undefined, shift: number, bits: number) => ((word ?? 0n) >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n);

    it("lies as its structs say", async () => {
      await made.report(term, scores(...new Array<number>(SEATS).fill(9_000)));
      await made.committee.finalise(term, [7]);
      const params = await wordsOf(1, 2);
      expect(params.words).to.deep.equal([
        MIN_STAKE_WEI | (REWARD_WEI << 88n) | (100n << 176n) | (300n << 192n) | (1_000n << 208n) | (5_000n << 224n) | (50n << 240n),
        0n,
      ]);
      const { verifierId } = await made.committee.verifierOf(member(0).address);
      const record = await wordsOf(Number(verifierId), 3, params.slot + 1);
      expect(record.words[0]).to.equal(BigInt(member(0).address) | (MIN_STAKE_WEI << 160n));
      expect([lane(record.words[1], 0, 32), lane(record.words[1], 64, 8), record.words[2]]).to.deep.equal([verifierId - 1n, 1n, 0n]);
      const { slot, words } = await wordsOf(term, 5, 8);
      const ids = Array.from({ length: SEATS }, (_, seat) => lane(words[seat < 8 ? 0 : 1], (seat % 8) * 32, 32));
      expect(await Promise.all(ids.map((number) => made.committee.accountOf(number)))).to.deep.equal(members.map(({ address }) => address));
      expect(words[2]).to.equal(9n | (0x1ffn << 8n) | (0x1ffn << 24n));
      expect(words[3]).to.equal((1n << 240n) + Array.from({ length: SEATS }, (_, seat) => 1n << BigInt(seat * 16)).reduce((a, b) => a + b));
      const scored = await wordsOf(7, 1, slot + 2);
      expect(scored.words[0]).to.equal(9_000n | (BigInt(term) << 16n));
    });
  });
});
