/**
 * The largest state that the contracts accept fits one block, for every entry point whose gas depends on state or arguments. Vouchers,
 * tickets, sponsorship and the committee have theirs beside their other tests. PPIO_PRINT_GAS=1 prints the table of docs/performance-gas.md.
 */
import { expect } from "chai";
import { type ContractTransactionReceipt, type ContractTransactionResponse, concat, id, solidityPackedKeccak256, toBeHex } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { PENALTY_GAS } from "../support/contracts/committee.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { headerOf } from "../support/contracts/headers.ts";
import { GWEI, PERIOD_SECONDS, RESERVATION_SECONDS, SAMPLES } from "../support/contracts/parameters.ts";
import { plantLine, plantProven, plantSlot, randomLeaf } from "../support/contracts/planted.ts";
import { uniformTree } from "../support/contracts/tree.ts";
import type { DealOptions, OpenedDeal, SampleStruct, TestProvider, World } from "../support/contracts/world.ts";

/** Of a block of Ethereum when prague came. */
const BLOCK = 36_000_000;
/** Of a transaction, under the rules after prague (EIP-7825). */
const TRANSACTION = 2 ** 24;
const N = 128;
const ARREARS = 16_384;
const LONGEST_WINDOW = 256;
/** 2^40 - 1 leaves, as many as a slot's word can say. */
const DEEPEST = { ...uniformTree(40), leafCount: 2 ** 40 - 1 };

/** Without an estimate, which would run the dearest calls twenty times. */
const HEAVY = { gasLimit: BLOCK };

const figures: Record<string, number> = {};

async function receiptOf(transaction: Promise<ContractTransactionResponse>): Promise<ContractTransactionReceipt> {
  return (await (await transaction).wait()) ?? expect.fail("not mined");
}

async function measure(name: string, transaction: Promise<ContractTransactionResponse>, limit = TRANSACTION): Promise<number> {
  const gas = Number((await receiptOf(transaction)).gasUsed);
  figures[name] = gas;
  expect(gas, name).to.be.lessThanOrEqual(limit);
  return gas;
}

const all = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Providers of whom everything is recorded that makes them dear: slashed once, and with a cap of their operator. */
async function dearWorld(): Promise<{ world: World; providers: TestProvider[] }> {
  const world = await deployWorld();
  const providers: TestProvider[] = [];
  for (let i = 0; i < N + 2; i++) providers.push(await world.addProvider(i));
  // A slash needs somebody to share it among.
  for (let i = 0; i < providers.length; i += N / 2 + 1) await world.open(providers.slice(i, i + N / 2 + 1), { periods: 4 });
  await world.next();
  for (const { providerId, owner } of providers) {
    await world.proofs.connect(world.committee).slashForService(providerId, 100);
    await world.registry.connect(owner).setOperatorCap(providerId, 10n ** 21n);
  }
  return { world, providers };
}

describe("Worst cases", function () {
  this.timeout(300_000);
  let world: World;
  let providers: TestProvider[];
  let market: World["market"];

  const load = async (): Promise<void> => {
    ({ world, providers } = await networkHelpers.loadFixture(dearWorld));
    await world.next();
    market = world.market.connect(world.user);
  };
  const openLargest = (options: DealOptions = {}): Promise<OpenedDeal> => world.open(providers.slice(0, N), options);
  const at = (index: number): TestProvider => providers[index] ?? expect.fail(`no provider ${index}`);

  after(() => {
    if (process.env["PPIO_PRINT_GAS"] !== undefined) console.table(figures);
  });

  describe("deals of 128", () => {
    beforeEach(load);

    it("open as many slots as one call takes, in few deals and in many", async () => {
      for (const [deals, n] of [
        [1, N],
        [2, N],
        [64, 4],
      ] as const) {
        const terms = [];
        for (let i = 0; i < deals; i++) terms.push((await world.makeTerms(providers.slice((i * n) % N, ((i * n) % N) + n))).terms);
        await world.fund(world.user, 10n ** 20n);
        await measure(`openDeals, ${deals} of ${n}`, market.openDeals(terms, HEAVY), BLOCK);
        await load();
      }
      const terms = [];
      for (let i = 0; i < 65; i++) terms.push((await world.makeTerms(providers.slice(0, 4))).terms);
      await expect(market.openDeals(terms.slice(0, 65))).to.be.revertedWithCustomError(market, "InvalidTerms");
      for (let i = 0; i < 2; i++) terms[i] = (await world.makeTerms(providers.slice(0, N))).terms;
      await world.fund(world.user, 10n ** 20n);
      await expect(market.openDeals(terms.slice(0, 3)))
        .to.be.revertedWithCustomError(market, "TooManySlots")
        .withArgs(260, 256);
    });

    it("name nobody twice, also where ids fall on the same place of the table in which they are looked up", async () => {
      // A deal of 4 has a table of 8.
      const ids = [0, 8, 16, 24];
      await world.open(ids.map(at));
      const { terms } = await world.makeTerms([0, 8, 16, 8].map(at));
      const opening = market.openDeals([terms]);
      await expect(opening).to.be.revertedWithCustomError(market, "DuplicateProvider").withArgs(3, at(8).providerId);
    });

    it("renew, change holders and end", async () => {
      const end = (await world.period()) + 1_000;
      const deal = await openLargest({ periods: 1_000, renewUntil: end + 1_000 });
      await world.fund(world.user, 10n ** 21n);
      await measure("renew, n = 128", market.renew(deal.dealId, end + 1_000));
      await world.pass();
      const { offer, refill } = await world.refillOffer(deal, N - 1, at(N));
      const terms = { ...refill, startBy: end, periods: Number((await market.deal(deal.dealId)).end) - end };
      const signed = { ...offer, ...(await world.signOffer({ ...deal.terms, ...terms }, N - 1, offer, at(N).operator)) };
      await measure("handOver, n = 128", market.connect(at(N - 1).owner).handOver(deal.dealId, N - 1, signed, terms));
      await measure("declareLost, n = 128", market.connect(at(0).owner).declareLost(deal.dealId, 0));
      const next = await world.refillOffer(deal, 0, at(N + 1));
      const again = { ...next.offer, ...(await world.signOffer({ ...deal.terms, ...terms }, 0, next.offer, at(N + 1).operator)) };
      await measure("refill, n = 128", market.refill(deal.dealId, 0, again, terms));
      await measure("terminate, n = 128", market.terminate(deal.dealId));
    });

    it("are lost slot by slot; the last one that may be fails the deal", async () => {
      const deal = await openLargest({ k: N - 1, periods: 1_000 });
      await market.connect(at(0).owner).declareLost(deal.dealId, 0);
      await measure("declareLost that fails a deal of 128", market.connect(at(1).owner).declareLost(deal.dealId, 1));
      expect((await world.market.deal(deal.dealId)).status).to.equal(4n);
    });

    it("are settled at once after the longest arrears that one call looks at", async () => {
      const deal = await openLargest({ periods: ARREARS + 2_000 });
      const past = await world.refillOffer(deal, 0, at(N));
      for (const { providerId } of providers) await plantProven(world, providerId, 30, 2n ** 256n - 1n);
      await networkHelpers.time.increase(PERIOD_SECONDS * BigInt(ARREARS + 100));
      const snapshot = await networkHelpers.takeSnapshot();
      await measure("settle 128 slots, 16,384 periods each", market.settle(deal.dealId, all(N), HEAVY), BLOCK);
      expect((await world.market.slot(deal.dealId, N - 1)).settledTo).to.equal(
        (await world.market.deal(deal.dealId)).start + BigInt(ARREARS),
      );
      await snapshot.restore();
      await measure("settle 64 slots, 16,384 periods each", market.settle(deal.dealId, all(N / 2), HEAVY));
      await snapshot.restore();
      const startBy = (await world.period()) + 50;
      const terms = { ...past.refill, startBy, periods: Number((await market.deal(deal.dealId)).end) - startBy };
      const offer = { ...past.offer, ...(await world.signOffer({ ...deal.terms, ...terms }, 0, past.offer, at(N).operator)) };
      await market.connect(at(0).owner).handOver(deal.dealId, 0, offer, terms);
      await measure("settleTenure, 16,384 periods", market.settleTenure(deal.dealId, 0, at(0).providerId));
      await networkHelpers.time.increase(PERIOD_SECONDS * 2_000n);
      await market.settle(deal.dealId, all(N / 2), HEAVY);
      await market.settle(deal.dealId, all(N).slice(N / 2), HEAVY);
      await snapshot.restore();
      await networkHelpers.time.increase(PERIOD_SECONDS * 2_000n);
      for (const half of [all(N / 2), all(N).slice(N / 2)]) await market.settle(deal.dealId, half, HEAVY);
      await measure("settle 128 slots to their end, shares of slashes claimed", market.settle(deal.dealId, all(N), HEAVY));
      expect((await world.market.deal(deal.dealId)).status).to.equal(2n);
    });

    it("are settled to their end at once when nobody ever settled them", async () => {
      const deal = await openLargest({ periods: ARREARS });
      for (const { providerId } of providers) await plantProven(world, providerId, 30, 2n ** 256n - 1n);
      await networkHelpers.time.increase(PERIOD_SECONDS * BigInt(ARREARS + 100));
      await measure("settle 128 slots of 16,384 periods to their end", market.settle(deal.dealId, all(N), HEAVY), BLOCK);
      expect((await world.market.deal(deal.dealId)).status).to.equal(2n);
    });

    it("are reserved for repair as a whole, again after a release, and refilled from proofs of 40 levels", async () => {
      const deal = await openLargest({ k: 1, periods: 1_000, tree: DEEPEST, collateralWei: 10n ** 18n });
      for (const i of all(N - 1)) await market.connect(at(i).owner).declareLost(deal.dealId, i);
      const repairer = world.signer(5);
      await world.token.connect(world.signer(0)).transfer(repairer, 10n ** 20n);
      await world.token.connect(repairer).approve(world.repair, 10n ** 20n);
      const repair = world.repair.connect(repairer);
      await measure("SlotRepair.reserve, 127 slots", repair.reserve(deal.dealId, all(N - 1), HEAVY));
      await networkHelpers.time.increase(RESERVATION_SECONDS + 1n);
      await repair.release(deal.dealId, 0);
      await measure("SlotRepair.reserve, 1 slot again", repair.reserve(deal.dealId, [0]));
      const { round } = await world.repair.reservationOf(deal.dealId, 0);
      await world.submitRound(round);
      const taker = at(N);
      const { offer, refill } = await world.refillOffer(deal, 0, taker);
      const leaves = await world.repair.leavesOf(deal.dealId, 0, taker.providerId);
      const proofs = leaves.map(() => DEEPEST.prove(0));
      await measure("SlotRepair.fill, depth 40, n = 128", repair.fill(deal.dealId, 0, offer, refill, proofs));
    });
  });

  describe("proofs", () => {
    beforeEach(load);

    it("of a line of holes: 251 of them and the five samples at the very end", async () => {
      const providerId = at(0).providerId;
      const pay = 1_000n;
      const slots = 1_000_000n;
      const period = await world.period();
      await plantLine(world, { providerId, lengthGwei: pay * slots });
      await world.next();
      await world.seed(period);
      const seed = await world.proofs.seedOf(period);
      const samples: SampleStruct[] = [];
      for (let draw = 0; draw < 256; draw++) {
        const types = ["bytes32", "uint32", "uint32", "uint32"];
        const slot = (BigInt(solidityPackedKeccak256(types, [seed, providerId, period, draw])) % (pay * slots)) / pay;
        const leaf = BigInt(solidityPackedKeccak256([...types, "string"], [seed, providerId, period, draw, "leaf"])) % 2n ** 39n;
        const isLive = draw >= 256 - SAMPLES;
        const { root, proof } = randomLeaf(`hole ${slot}`, leaf, 39);
        const dealId = id(`hole ${slot}`);
        const place = { startGwei: slot * pay, payGwei: pay, leafCount: 2 ** 39, from: 1, end: isLive ? period + 1 : period };
        await plantSlot(world, { dealId, slotIndex: 0, providerId, root, ...place });
        samples.push({ dealId, slotIndex: 0, proof: isLive ? proof : "0x" });
      }
      await measure("prove, 256 draws, depth 39", world.proofs.prove(providerId, period, samples));
    });

    it("are missed: the last of the longest window, with a silent beacon before it", async () => {
      const deal = await openLargest({ periods: 1_000 });
      await widenWindow(world);
      const first = await world.period();
      // Once for the order: the cursor is where nothing can be skipped.
      await world.enter(first + LONGEST_WINDOW - 1);
      await world.seed(first + LONGEST_WINDOW - 2);
      await world.enter(first + LONGEST_WINDOW);
      const period = first + LONGEST_WINDOW - 2;
      await world.openReports();
      const report = world.proofs.connect(world.reporter).reportMiss(at(0).providerId, period, deal.dealId, 0);
      await measure("reportMiss behind 255 void periods", report);
      await measure("settle 1 slot behind 255 void periods", market.settle(deal.dealId, [1]));
      await measure("settle 32 slots behind 255 void periods", market.settle(deal.dealId, all(34).slice(2), HEAVY), BLOCK);
    });

    it("leave the committee's penalty the gas it needs behind as many void periods as reports can reach", async () => {
      await openLargest({ periods: 1_000 });
      await widenWindow(world);
      await world.enter((await world.period()) + LONGEST_WINDOW + 2);
      const service = world.proofs.connect(world.committee).slashForService(at(0).providerId, 100);
      await measure("slashForService behind 256 void periods", service, PENALTY_GAS);
    });

    it("are not asked for when the chain stood still", async () => {
      const period = await world.period();
      await world.enter(period + 1, 1n);
      const parent = await ethers.provider.getBlockNumber();
      await networkHelpers.time.increase(PERIOD_SECONDS);
      const child = await ethers.provider.getBlockNumber();
      expect(child).to.equal(parent + 1);
      const [parentHeader, header] = [await headerOf(parent), await headerOf(child)];
      await networkHelpers.mine(100);
      const call = world.proofs.voidHaltedPeriod(period, parentHeader.rlp, header.rlp);
      await measure("voidHaltedPeriod", call);
      await measure("voidPeriod", world.proofs.voidPeriod(period + 1));
    });

    it("are compacted by as many slots as the caller names", async () => {
      const providerId = at(0).providerId;
      const count = 200;
      await plantLine(world, { providerId, lengthGwei: 1_000n * BigInt(count) });
      const refs = [];
      for (const i of all(count)) {
        const dealId = id(`compacted ${i}`);
        // The first is a hole: all others move.
        const place = { startGwei: 1_000n * BigInt(i), payGwei: 1_000n, leafCount: 1, from: 1, end: i === 0 ? 2 : 100_000 };
        await plantSlot(world, { dealId, slotIndex: 0, providerId, root: id("root"), ...place });
        refs.push({ dealId, slotIndex: 0 });
      }
      const period = await world.next();
      const gas = await measure(`compact, ${count} slots`, world.proofs.connect(at(0).owner).compact(providerId, period, refs));
      figures["compact, slots that fit 2^24"] = Math.floor(TRANSACTION / (gas / count));
      expect(figures["compact, slots that fit 2^24"]).to.be.greaterThan(500);
    });
  });

  describe("questions and lies", () => {
    beforeEach(load);

    it("a challenge of the deepest slot", async () => {
      const deal = await openLargest({ periods: 1_000, tree: DEEPEST });
      await world.fund(world.reporter, 10n ** 20n);
      await world.token.connect(world.reporter).approve(world.challenges, 10n ** 20n);
      const challenges = world.challenges.connect(world.reporter);
      await measure("SlotChallenges.open", challenges.open(deal.dealId, 0));
      await challenges.open(deal.dealId, 1);
      const { round } = await world.challenges.challengeOf(deal.dealId, 0);
      const due = await world.beacon.timeOfRound(round);
      if (BigInt(await networkHelpers.time.latest()) < due) await networkHelpers.time.increaseTo(due);
      const proofs = all(5).map(() => DEEPEST.prove(0));
      const { signature } = world.group.sign(round);
      await measure("SlotChallenges.answerWithBeacon, depth 40", challenges.answerWithBeacon(deal.dealId, 0, proofs, signature));
      await world.submitRound((await world.challenges.challengeOf(deal.dealId, 1)).round);
      await networkHelpers.time.increase(2_000n);
      await measure("SlotChallenges.resolve, slot forfeited", challenges.resolve(deal.dealId, 1));
    });

    it("a lie in the largest answer: 16 MiB in cells of 4 KiB of the deepest slot", async () => {
      const rows = 2n ** 33n;
      const header = concat(["0x0101800c00001000", toBeHex(rows, 8)]);
      const tree = { ...uniformTree(3), leafCount: 2 ** 39 };
      const deal = await openLargest({ periods: 1_000, tree, header });
      const cells = 4_096;
      const firstCell = 2n ** 32n - 2_047n;
      // Per level one sibling on the left when the run begins at an odd index, one on the right when it ends at an even one.
      let siblings = 0;
      for (let level = 0n, a = firstCell, b = firstCell + BigInt(cells) - 1n; level < 33n; level += 1n, a >>= 1n, b >>= 1n) {
        siblings += Number(a & 1n) + Number(1n - (b & 1n));
      }
      const nodes = all(cells + siblings).map((i) => id(`node ${i}`));
      const rootsHash = solidityPackedKeccak256(["uint32", "bytes32[]"], [cells, nodes]);
      await world.next();
      const servedAt = BigInt(await networkHelpers.time.latest()) * 1_000n;
      const answer = { dealId: deal.dealId, slotIndex: 0, firstCell, rootsHash, servedAt };
      const fields = "bytes32 dealId,uint8 slotIndex,uint64 firstCell,bytes32 rootsHash,uint64 servedAt".split(",");
      const types = { ReadAnswer: fields.map((field) => ({ type: field.split(" ")[0] ?? "", name: field.split(" ")[1] ?? "" })) };
      const { operator, providerId } = at(0);
      const signature = await operator.signTypedData(await world.domain(), types, answer);
      await measure("FraudProofs.proveLie, 4,096 cells", world.fraud.proveLie(providerId, 1, answer, signature, cells, nodes, HEAVY));
    });
  });

  it("everything else", async () => {
    await load();
    const ended = await openLargest();
    const longest = "x".repeat(256);
    const registry = world.registry.connect(at(0).owner);
    const { providerId, owner } = at(0);
    await measure("register, endpoint of 256 bytes", registry.register(world.signer(6), longest, 2n ** 250n, 2n ** 63n, id("domain")));
    await measure("update, endpoint of 256 bytes", registry.update(providerId, longest, 2n ** 250n, 2n ** 63n, id("domain")));
    await measure("rotateOperator", registry.rotateOperator(providerId, world.signer(7)));
    await measure("setOperatorCap", registry.setOperatorCap(providerId, 10n ** 20n));
    await measure("startUnbonding", registry.startUnbonding(providerId, GWEI));
    await networkHelpers.time.increase(1_000n);
    await measure("withdrawCollateral", registry.withdrawCollateral(providerId));
    await world.token.connect(owner).approve(world.registry, GWEI);
    await measure("depositCollateral", registry.depositCollateral(providerId, GWEI));
    await measure("offerOwnership", registry.offerOwnership(providerId, world.signer(8)));
    await measure("acceptOwnership", world.registry.connect(world.signer(8)).acceptOwnership(providerId));
    await world.fund(world.user, 10n ** 20n);
    await measure("donate", market.donate(10n ** 20n));
    await measure("payFromRepairFund", world.market.connect(world.committee).payFromRepairFund(world.signer(9), 10n ** 18n));
    await market.terminate(ended.dealId);
    await market.settle(ended.dealId, [0]);
    await measure("withdraw", market.withdraw(world.user));
    await measure("openReports", world.proofs.openReports());
  });
});

/** The code of a PossessionProofs with the longest window in the place of the world's: its own state stays. */
async function widenWindow(world: World): Promise<void> {
  const [registry, marketAt, policy, beacon, fraudProofs] = await Promise.all(
    [world.registry, world.market, world.policy, world.beacon, world.fraud].map((contract) => contract.getAddress()),
  );
  const wide = await ethers.deployContract("PossessionProofs", [
    {
      registry,
      market: marketAt,
      policy,
      beacon,
      fraudProofs,
      committee: world.committee,
      genesisTime: await world.proofs.genesisTime(),
      periodSeconds: PERIOD_SECONDS,
      seedDelaySeconds: await world.proofs.seedDelaySeconds(),
      reportWindowPeriods: LONGEST_WINDOW,
      reportDelayBlocks: await world.proofs.reportDelayBlocks(),
      samplesPerProof: SAMPLES,
    },
  ]);
  await networkHelpers.setCode(await world.proofs.getAddress(), await ethers.provider.getCode(wide));
}
