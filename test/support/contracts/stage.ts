/** All contracts that hold tokens, with a deal that runs, a pool with funds, a committee, and accounts that have approved everything. */
import { expect } from "chai";
import type { BaseContract } from "ethers";
import type { PpioTimelock } from "../../../typechain-types/index.ts";
import { type BucketWorld, deployBucketWorld } from "./bucket-world.ts";
import { ethers } from "./chain.ts";
import { type CommitteeWorld, deployCommittee } from "./committee.ts";
import { deployWorld, deployWorldOver } from "./deploy-world.ts";
import { deployEscrowOver, type EscrowWorld } from "./escrow.ts";
import { deployPool, type Pool } from "./sponsor-world.ts";
import type { OpenedDeal, TestProvider, World } from "./world.ts";

export const SUPPLY_WEI = 10n ** 27n;
export const TIMELOCK_SECONDS = 3n * 86_400n;
const ALLOWANCE_WEI = 10n ** 24n;

export interface Stage {
  readonly world: World;
  readonly providers: readonly [TestProvider, TestProvider, TestProvider, TestProvider];
  /** Of the first three providers, renewable. */
  readonly deal: OpenedDeal;
  readonly pool: Pool;
  readonly made: CommitteeWorld;
  /** Its payer is the user. */
  readonly escrow: EscrowWorld;
  readonly buckets: BucketWorld;
  /** The first signer proposes, the second executes. */
  readonly timelock: PpioTimelock;
}

/** Over a token that may misbehave later; the deployer must hold `SUPPLY_WEI` of it. */
export const stageOver = async (token: BaseContract): Promise<Stage> => setUp(await deployWorldOver(token));

/** Over our own token. */
export const deployStage = async (): Promise<Stage> => setUp(await deployWorld());

async function setUp(world: World): Promise<Stage> {
  const providers = [
    await world.addProvider(0),
    await world.addProvider(1),
    await world.addProvider(2),
    await world.addProvider(3),
  ] as const;
  const pool = await deployPool(await world.market.getAddress(), world.signer(15), world.signer(16));
  await world.drip(pool.pool);
  const made = await deployCommittee({ world, verifiers: 5 });
  for (const account of [world.signer(0), world.user, world.reporter]) {
    if (account !== world.signer(0)) await world.drip(account);
    for (const taker of [world.market, world.registry, world.challenges, world.repair, made.committee, pool.pool]) {
      await world.token.connect(account).approve(taker, ALLOWANCE_WEI);
    }
  }
  const escrow = await deployEscrowOver(world.token, world.signers);
  const buckets = await deployBucketWorld();
  const timelock = await ethers.deployContract("PpioTimelock", [TIMELOCK_SECONDS, [world.signer(0)], [world.signer(1)]]);
  // A block takes a second: what a test does at first shall not reach into the next period.
  await world.next();
  const deal = await world.open(providers.slice(0, 3), { periods: 60, renewUntil: (await world.period()) + 100 });
  await world.token.connect(world.user).approve(world.market, ALLOWANCE_WEI);
  return { world, providers, deal, pool, made, escrow, buckets, timelock };
}

/** Every contract of the stage by its name. */
function contractsOf({ world, pool, made, escrow, buckets, timelock }: Stage): Readonly<Record<string, BaseContract>> {
  return {
    StorageMarket: world.market,
    ProviderRegistry: world.registry,
    PossessionProofs: world.proofs,
    SlotChallenges: world.challenges,
    SlotRepair: world.repair,
    FraudProofs: world.fraud,
    PenaltyPolicy: world.policy,
    VerifierCommittee: made.committee,
    SponsorPool: pool.pool,
    PpioToken: world.token,
    BandwidthEscrow: escrow.escrow,
    BucketRegistry: buckets.registry,
    PpioTimelock: timelock,
  };
}

/** Which contract's error it is: `Contract.Error`, or `Error` alone where all that have one by this name mean the same. */
function declaring(stage: Stage, error: string): readonly [contract: BaseContract, name: string] {
  const all = contractsOf(stage);
  const [first = "", second] = error.split(".");
  const name = second ?? first;
  const candidates = Object.entries(all).filter(([contract]) => second === undefined || contract === first);
  const found = candidates.filter(([, { interface: abi }]) => abi.getError(name) !== null);
  const [one] = found;
  if (one === undefined) throw new Error(`nobody has ${error}`);
  const selectors = new Set(found.map(([, { interface: abi }]) => abi.getError(name)?.selector));
  if (selectors.size !== 1) throw new Error(`say whose ${error} it is: ${found.map(([contract]) => contract)}`);
  return [one[1], name];
}

/** Expects a call to be refused with `error`, an error of one of the contracts. */
export async function expectRefused(stage: Stage, error: string, call: Promise<unknown>, what = error): Promise<void> {
  const [contract, name] = declaring(stage, error);
  await expect(call, what).to.be.revertedWithCustomError(contract, name);
}

/** Name of the error in what a failed call gave back, as the contract knows it. */
export function errorOf(contract: BaseContract, answer: string): string {
  return contract.interface.parseError(answer)?.name ?? answer;
}

/** Asks for a slot and answers: its provider's owner is owed the bond. */
export async function answerChallenge({ world, deal }: Stage, slotIndex: number): Promise<void> {
  await world.challenges.connect(world.reporter).open(deal.dealId, slotIndex);
  const { round } = await world.challenges.challengeOf(deal.dealId, slotIndex);
  await world.submitRound(round);
  const leaves = await world.challenges.leavesOf(deal.dealId, slotIndex);
  await world.challenges.answer(deal.dealId, slotIndex, world.leafProofs(deal.dealId, slotIndex, leaves));
}

/** A committee's term with the same report of every member, up to where it can be settled; the fund can pay it. */
export async function reportedTerm({ made }: Stage): Promise<number> {
  const term = await made.nextCommittee();
  await made.report(
    term,
    (await made.members(term)).map(() => [{ providerId: 1, score: 9_000 }]),
  );
  await made.committee.finalise(term, [1]);
  await made.toSettlement(term);
  await made.endow(10n ** 20n);
  return term;
}

/** Slashes a verifier that signed two commitments: the finder is owed a part, the fund the rest. */
export async function slashVerifier({ made, world }: Stage): Promise<void> {
  const term = await made.nextCommittee();
  const [member] = await made.members(term);
  if (member === undefined) throw new Error("no member");
  const [one, other] = ["0x01", "0x02"].map((byte) => ethers.zeroPadValue(byte, 32)) as [string, string];
  const sign = (commitment: string) => made.signCommit(member, term, commitment);
  const finder = made.committee.connect(world.reporter);
  await finder.reportEquivocation(member, term, one, await sign(one), other, await sign(other));
}
