/** VerifierCommittee: its rules and bounds, stake and its ways out, the list, and the draw. */
import { drawCommittee, joinCommitteeMessage } from "@ppio/core";
import { expect } from "chai";
import { keccak256, type Wallet, ZeroAddress } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { type CommitteeWorld, deployCommittee, LEAVE_DELAY_TERMS, MIN_STAKE_WEI, PARAMS, TOKEN } from "../support/contracts/committee.ts";
import { FAR } from "../support/contracts/parameters.ts";

const [NONE, ACTIVE, LEAVING] = [0n, 1n, 2n];
const VERIFIERS = 12;

describe("VerifierCommittee: stake and draw", () => {
  let made: CommitteeWorld;
  const fixture = () => deployCommittee({ verifiers: VERIFIERS });

  beforeEach(async () => {
    made = await networkHelpers.loadFixture(fixture);
    made.verifiers.length = VERIFIERS;
    made.withheld = () => false;
  });
  const refused = (call: Promise<unknown>, error: string, ...args: unknown[]) => {
    const assertion = expect(call).to.be.revertedWithCustomError(made.committee, error);
    return args.length === 0 ? assertion : assertion.withArgs(...args);
  };
  const verifier = (at: number): Wallet => made.verifiers[at] ?? made.verifiers[0] ?? expect.fail("no verifier");
  const as = (wallet: Wallet) => made.committee.connect(wallet);

  describe("rules", () => {
    const deploying = async (config: object, params: object = {}) =>
      ethers.deployContract("VerifierCommittee", [
        { ...made.config, ...config },
        { ...PARAMS, ...params },
      ]);

    for (const [field, config] of [
      ["commitPeriods", { commitPeriods: 0 }],
      ["commitPeriods", { commitPeriods: 49, termPeriods: 100 }],
      ["revealPeriods", { revealPeriods: 0 }],
      ["revealPeriods", { revealPeriods: 49, termPeriods: 100 }],
      ["termPeriods", { termPeriods: 2 }],
      ["termPeriods", { termPeriods: 4097 }],
      ["leaveDelayTerms", { leaveDelayTerms: 3 }],
      ["leaveDelayTerms", { leaveDelayTerms: 65 }],
      ["seatsMin", { seatsMin: 3 }],
      ["seatsMin", { seatsMin: 10, seatsMax: 9 }],
      ["seatsMax", { seatsMax: 16 }],
    ] as const) {
      it(`refuses ${JSON.stringify(config)}`, async () => {
        await refused(deploying(config), "InvalidConfig", field);
      });
    }

    it("refuses to be deployed without its neighbours", async () => {
      for (const field of ["token", "proofs", "penalties", "fund", "owner"])
        await refused(deploying({ [field]: ZeroAddress }), "ZeroAddress");
    });

    for (const [field, value] of [
      ["minStakeWei", TOKEN - 1n],
      ["minStakeWei", 1_000_001n * TOKEN],
      ["rewardWei", 100n * TOKEN + 1n],
      ["silentBps", 0n],
      ["silentBps", 501n],
      ["unrevealedBps", 99n],
      ["unrevealedBps", 1_001n],
      ["toleranceScore", 99n],
      ["toleranceScore", 3_001n],
      ["thresholdScore", 9_001n],
      ["maxServiceBps", 201n],
    ] as const) {
      it(`keeps ${field} off ${value}, at deployment and later`, async () => {
        const params = { ...PARAMS, [field]: value };
        await refused(deploying({}, params), "ParameterOutOfBounds", field, value);
        await refused(made.committee.connect(made.world.signer(19)).setParams(params), "ParameterOutOfBounds", field, value);
      });
    }

    it("V12: takes parameters of the owner only, from the term after the next on", async () => {
      const next = { ...PARAMS, minStakeWei: 2_000n * TOKEN };
      await refused(made.committee.setParams(next), "NotOwner", made.world.signer(0).address);
      const term = await made.term();
      const owner = made.committee.connect(made.world.signer(19));
      await owner.setParams({ ...PARAMS, minStakeWei: 3_000n * TOKEN });
      await owner.setParams(next);
      expect((await made.committee.paramsAt(term + 1)).minStakeWei).to.equal(MIN_STAKE_WEI);
      expect((await made.committee.paramsAt(term + 2)).minStakeWei).to.equal(2_000n * TOKEN);
      await made.addVerifier();
      await made.toTerm(term + 1);
      const late = await made.newAccount();
      await refused(as(late).join(MIN_STAKE_WEI), "StakeTooLow", late.address, MIN_STAKE_WEI, 2_000n * TOKEN);
      await as(late).join(2_000n * TOKEN);
      expect((await made.committee.paramsAt(term)).minStakeWei).to.equal(MIN_STAKE_WEI);
    });
  });

  describe("stake", () => {
    it("refuses too little, too much, and a token that keeps a part", async () => {
      const account = await made.newAccount();
      await refused(as(account).join(MIN_STAKE_WEI - 1n), "StakeTooLow", account.address, MIN_STAKE_WEI - 1n, MIN_STAKE_WEI);
      await refused(as(account).join(2n ** 96n), "StakeTooLarge", account.address, 2n ** 96n, 2n ** 96n - 1n);
      await refused(as(verifier(0)).join(MIN_STAKE_WEI), "WrongStatus", verifier(0).address, ACTIVE);
      const token = await ethers.deployContract("FeeTokenDouble");
      const config = { ...made.config, token };
      const other = await ethers.deployContract("VerifierCommittee", [config, PARAMS]);
      await token.approve(other, MIN_STAKE_WEI);
      await refused(other.join(MIN_STAKE_WEI), "UnsupportedToken", (MIN_STAKE_WEI * 99n) / 100n, MIN_STAKE_WEI);
    });

    it("V1: holds what was put down; anyone may add to it", async () => {
      await refused(made.committee.topUp(made.world.signer(0), 1n), "WrongStatus", made.world.signer(0).address, NONE);
      await as(verifier(1)).topUp(verifier(0), 5n);
      expect(await made.stakeOf(verifier(0))).to.equal(MIN_STAKE_WEI + 5n);
      expect(await made.world.token.balanceOf(made.committee)).to.equal(await made.bookedWei());
      expect(await made.committee.accountOf(1)).to.equal(verifier(0).address);
    });

    it("V10: gives stake back after the delay and not before, whatever happened to the terms", async () => {
      const leaver = verifier(0);
      await refused(as(leaver).withdrawStake(leaver), "WrongStatus", leaver.address, ACTIVE);
      await refused(made.committee.leave(), "WrongStatus", made.world.signer(0).address, NONE);
      const term = await made.term();
      const free = term + LEAVE_DELAY_TERMS;
      await expect(as(leaver).leave()).to.emit(made.committee, "VerifierLeaving").withArgs(leaver.address, free);
      await refused(as(leaver).leave(), "WrongStatus", leaver.address, LEAVING);
      await made.toTerm(free - 1);
      await refused(as(leaver).withdrawStake(leaver), "StillStaked", leaver.address, free, free - 1);
      await made.toTerm(free);
      await refused(as(leaver).withdrawStake(ZeroAddress), "ZeroAddress");
      await expect(as(leaver).withdrawStake(verifier(1))).to.changeTokenBalances(
        ethers,
        made.world.token,
        [made.committee, verifier(1)],
        [-MIN_STAKE_WEI, MIN_STAKE_WEI],
      );
      await refused(as(leaver).withdrawStake(leaver), "WrongStatus", leaver.address, NONE);
    });

    it("V11: lists from the next term on, once, and takes back who left", async () => {
      const term = await made.term();
      expect(await made.committee.listedAt(term)).to.equal(0n);
      expect(await made.committee.listedAt(term + 1)).to.equal(BigInt(VERIFIERS));
      await as(verifier(3)).leave();
      expect(await made.committee.listedAt(term + 1)).to.equal(BigInt(VERIFIERS - 1));
      expect(await made.committee.entryAt(term + 1, 3)).to.equal(verifier(VERIFIERS - 1).address);
      expect(await made.committee.entryAt(term + 1, VERIFIERS - 1)).to.equal(ZeroAddress);
      await as(verifier(3)).join(0n);
      expect(await made.committee.entryAt(term + 1, VERIFIERS - 1)).to.equal(verifier(3).address);
      expect((await made.committee.verifierOf(verifier(3).address)).freeFromTerm).to.equal(0n);
      await as(verifier(VERIFIERS - 1)).leave();
      expect(await made.committee.entryAt(term + 1, 3)).to.equal(verifier(3).address);
    });

    it("keeps its number through withdrawal and return", async () => {
      const back = verifier(2);
      await as(back).leave();
      await made.toTerm((await made.term()) + LEAVE_DELAY_TERMS);
      await as(back).withdrawStake(back);
      await refused(as(back).join(0n), "StakeTooLow");
      await as(back).join(MIN_STAKE_WEI);
      expect((await made.committee.verifierOf(back.address)).verifierId).to.equal(3n);
      expect(await made.committee.verifierCount()).to.equal(BigInt(VERIFIERS));
    });

    it("lets nobody draw credits that it does not have", async () => {
      await refused(as(verifier(0)).withdrawCredit(verifier(0)), "NothingToWithdraw", verifier(0).address);
      await refused(as(verifier(0)).withdrawCredit(ZeroAddress), "ZeroAddress");
      await refused(made.committee.forwardSlashed(), "NothingToWithdraw", await made.fund.getAddress());
    });
  });

  describe("joining under another one's gas", () => {
    it("refuses late, forged, replayed and foreign signatures", async () => {
      const account = await made.newAccount();
      const join = (signature: string, deadline = FAR) => made.committee.joinWithSig(account, MIN_STAKE_WEI, deadline, signature);
      await refused(join("0x", 1n), "AuthorizationExpired", 1n);
      await refused(join("0x"), "InvalidSignature", ZeroAddress, account.address);
      await refused(join(await made.signJoin(verifier(0), MIN_STAKE_WEI, 0n, FAR)), "InvalidSignature");
      await refused(join(await made.signJoin(account, MIN_STAKE_WEI, 1n, FAR)), "InvalidSignature");
      await refused(join(await made.signJoin(account, MIN_STAKE_WEI, 0n, FAR, { chainId: 1n })), "InvalidSignature");
      await refused(join(await made.signJoin(account, MIN_STAKE_WEI, 0n, FAR, { verifyingContract: ZeroAddress })), "InvalidSignature");
      await refused(made.committee.joinWithSig(ZeroAddress, MIN_STAKE_WEI, FAR, "0x"), "InvalidSignature", ZeroAddress, ZeroAddress);
      const signature = await made.signJoin(account, MIN_STAKE_WEI, 0n, FAR);
      await join(signature);
      expect(await made.stakeOf(account)).to.equal(MIN_STAKE_WEI);
      await as(account).leave();
      await refused(join(signature), "InvalidSignature");
    });

    it("takes what core signs", async () => {
      const account = await made.newAccount();
      const value = { verifier: account.address, amountWei: MIN_STAKE_WEI, nonce: 0n, deadline: Number(FAR) };
      const domain = { chainId: made.chainId, committee: made.address };
      const signature = await joinCommitteeMessage.sign(domain, value, account);
      expect(joinCommitteeMessage.recover(domain, value, signature)).to.equal(account.address);
      await made.committee.joinWithSig(account, MIN_STAKE_WEI, FAR, signature);
      expect((await made.committee.verifierOf(account.address)).status).to.equal(ACTIVE);
      expect(await made.committee.nonceOf(account.address)).to.equal(1n);
    });
  });

  describe("the draw", () => {
    it("V3: happens in its own term, with a seed in time, once", async () => {
      const term = (await made.term()) + 1;
      await refused(made.committee.drawCommittee(term), "WrongTerm", term, term - 1);
      await refused(made.committee.previewCommittee(term), "WrongTerm", term, term - 1);
      await refused(made.committee.drawCommittee(0), "WrongTerm", 0, term - 1);
      await made.world.enter((await made.windows(term)).open);
      await expect(made.committee.drawCommittee(term)).to.be.revertedWithCustomError(made.world.proofs, "SeedUnavailable");
      await made.world.seed((await made.windows(term)).open - 1);
      await made.committee.drawCommittee(term);
      await refused(made.committee.drawCommittee(term), "AlreadyDrawn", term);
      await made.toTerm(term + 2);
      await refused(made.committee.drawCommittee(term + 1), "WrongTerm", term + 1, term + 2);
    });

    it("V3: a term whose seed came late has no committee", async () => {
      const term = (await made.term()) + 1;
      const { open } = await made.windows(term);
      made.withheld = (period) => period === open - 1;
      await made.toPeriod(open + 1);
      const round = await made.world.proofs.seedRound(open - 1);
      await made.world.beacon.submit(round, made.world.group.sign(round).signature);
      await expect(made.committee.drawCommittee(term)).to.be.revertedWithCustomError(made.world.proofs, "SeedUnavailable");
      await made.toTerm(term + 1);
      await refused(as(verifier(0)).commit(term, keccak256("0x01")), "NoCommittee", term);
      await made.toPeriod((await made.windows(term)).finalise);
      await refused(made.committee.finalise(term, [1]), "NoCommittee", term);
      await made.toSettlement(term);
      await refused(made.committee.settle(term), "NoCommittee", term);
      await refused(made.committee.reportEquivocation(verifier(0), term, keccak256("0x"), "0x", keccak256("0x01"), "0x"), "NoCommittee");
      expect(await made.stakeOf(verifier(0))).to.equal(MIN_STAKE_WEI);
    });

    it("waits for enough verifiers", async () => {
      for (let at = 3; at < VERIFIERS; at += 1) await as(verifier(at)).leave();
      const term = (await made.term()) + 1;
      await made.toTerm(term);
      await refused(made.committee.drawCommittee(term), "TooFewVerifiers", term, 3n, 4n);
      await made.addVerifier();
      await refused(made.committee.drawCommittee(term), "TooFewVerifiers", term, 3n, 4n);
      await made.nextCommittee();
      expect(await made.members(term + 1)).to.have.length(4);
    });

    it("V2: cannot be moved by joining, leaving or being slashed once the term has opened", async () => {
      const term = (await made.term()) + 1;
      await made.toTerm(term);
      const before = [...(await made.committee.previewCommittee(term))];
      expect(new Set(before).size).to.equal(9);
      for (let at = 0; at < 4; at += 1) await made.addVerifier();
      for (const address of before.slice(0, 5)) await as(made.wallet(address)).leave();
      await as(made.wallet(before[0] ?? "")).join(0n);
      await made.committee.drawCommittee(term);
      expect([...(await made.committee.termOf(term)).members]).to.deep.equal(before);
      await made.toTerm(term + 2);
      expect([...(await made.committee.previewCommittee(term))]).to.deep.equal(before);
    });

    it("V2: is what core computes, over a list that changes from term to term", async () => {
      const seen = new Set<string>();
      for (let step = 0; step < 6; step += 1) {
        await made.addVerifier();
        await as(verifier((step * 5) % VERIFIERS))
          .leave()
          .catch(() => undefined);
        const term = await made.nextCommittee();
        const listed = Number(await made.committee.listedAt(term));
        const seed = await made.world.proofs.seedOf((await made.windows(term)).open - 1);
        const places = drawCommittee({ seed, committee: made.address, term }, listed, Math.min(listed, 9));
        const expected = await Promise.all(places.map((place) => made.committee.entryAt(term, place)));
        const members = [...(await made.committee.termOf(term)).members];
        expect(members).to.deep.equal(expected);
        expect(new Set(members).size).to.equal(members.length);
        for (const member of members) seen.add(member);
      }
      expect(seen.size).to.be.greaterThan(11);
    });

    it("gives every place the same chance", () => {
      const hits = new Array<number>(20).fill(0);
      for (let term = 1; term <= 2_000; term += 1) {
        for (const place of drawCommittee({ seed: keccak256("0x05"), committee: made.address, term }, 20, 5))
          hits[place] = (hits[place] ?? 0) + 1;
      }
      // 500 expected, standard deviation 19.
      for (const count of hits) expect(count).to.be.within(400, 600);
    });
  });
});
