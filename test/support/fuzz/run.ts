/** Runs of the fuzzer: one world, put back before each; a seed gives the whole run. */

import type { StateLens } from "../../../typechain-types/index.ts";
import { ethers, networkHelpers } from "../contracts/chain.ts";
import { deployWorld } from "../contracts/deploy-world.ts";
import { RESERVATION_BOND_BPS } from "../contracts/parameters.ts";
import { World } from "../contracts/world.ts";
import { policyInvariants, proofsInvariants, registryInvariants } from "./core-invariants.ts";
import { drain } from "./drain.ts";
import { Fuzz, type Habit } from "./fuzz.ts";
import type { Invariant } from "./invariant.ts";
import * as market from "./market-actions.ts";
import { PERMIT_WEI } from "./market-actions.ts";
import { marketInvariants } from "./market-invariants.ts";
import { Model } from "./model.ts";
import * as provider from "./provider-actions.ts";
import { Random } from "./random.ts";
import { challengeInvariants, repairInvariants, wholeInvariants } from "./side-invariants.ts";
import * as thief from "./thief-actions.ts";

const HABITS: readonly Habit[] = ["honest", "honest", "lazy", "flapping", "losing", "leaving", "lying"];
/** Little for those who lose some, so that their slots are soon worth more than they have. */
const collateralWei = (habit: Habit): bigint => (habit === "losing" || habit === "lazy" ? 2n : 12n) * 10n ** 18n;
/** Too little happens in shorter runs. */
const PERIODS_MIN = 10;
const PURSE_WEI = 500n * 10n ** 18n;
/** Owners, reporter, timelock, committee, challengers, repairers, a payer, a thief, one who gets rewards. */
const ACCOUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

const ACTIONS: readonly (readonly [number, (f: Fuzz) => Promise<void>])[] = [
  [14, market.openDeal],
  [10, market.settle],
  [6, market.settleTenure],
  [9, market.report],
  [2, market.endEarly],
  [3, market.renew],
  [6, market.refill],
  [4, market.withdraw],
  [3, market.voidPeriod],
  [3, market.showHalt],
  [6, market.openChallenge],
  [7, market.answer],
  [5, market.resolve],
  [6, market.reserve],
  [8, market.fillReserved],
  [3, market.release],
  [2, market.tune],
  [2, market.judge],
  [2, market.reward],
  [1, market.donate],
  [5, provider.declareLost],
  [5, provider.handOver],
  [6, provider.compact],
  [5, provider.moveCollateral],
  [4, provider.changeKeys],
  [2, provider.lie],
  [5, thief.knock],
  [4, thief.forge],
  [4, thief.cheat],
  [3, thief.hurry],
  [2, thief.replay],
];
const WEIGHT = ACTIONS.reduce((total, [weight]) => total + weight, 0);

export interface Stage {
  readonly world: World;
  readonly lens: StateLens;
  restore(): Promise<void>;
}

/** Deploys the core once, with providers and full purses. */
export async function setStage(): Promise<Stage> {
  const world = await deployWorld();
  const { token, market, registry, proofs, challenges, repair } = world;
  const lens = await ethers.deployContract("StateLens", [{ token, market, registry, proofs, challenges, repair }]);
  for (const [at, habit] of HABITS.entries()) await world.addProvider(at, collateralWei(habit));
  const owners = HABITS.map((_, at) => world.signer(20 + 2 * at));
  for (const account of [...ACCOUNTS.map((at) => world.signer(at)), ...owners]) {
    await token.connect(world.signer(0)).transfer(account, PURSE_WEI);
    for (const spender of [market, registry, challenges, repair]) await token.connect(account).approve(spender, PERMIT_WEI);
  }
  const snapshot = await networkHelpers.takeSnapshot();
  return { world, lens, restore: () => snapshot.restore() };
}

function draw(random: Random): (f: Fuzz) => Promise<void> {
  let left = random.int(1, WEIGHT);
  for (const [weight, act] of ACTIONS) {
    left -= weight;
    if (left <= 0) return act;
  }
  return market.settle;
}

export class FuzzFailure extends Error {
  constructor(seed: number, periods: number, log: readonly string[], cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`FUZZ_SEED=${seed} FUZZ_PERIODS=${periods}: ${reason}\n  ${log.slice(-60).join("\n  ")}`, { cause });
    this.name = "FuzzFailure";
  }
}

export function allInvariants(accounts: readonly string[]): Invariant[] {
  return [
    ...marketInvariants,
    ...registryInvariants,
    ...proofsInvariants,
    ...policyInvariants,
    ...challengeInvariants(accounts),
    ...repairInvariants(accounts, RESERVATION_BOND_BPS),
    ...wholeInvariants,
  ];
}

/**
 * One run of `periods` periods, fewer when `until` (milliseconds) has passed, then the end of everything. Throws `FuzzFailure` with what
 * runs it again and its last actions.
 */
export async function fuzzRun(stage: Stage, seed: number, periods: number, until: number): Promise<Fuzz> {
  await stage.restore();
  const { world: base, lens } = stage;
  const world = new World(base, base.signers);
  const accounts = [...ACCOUNTS, ...HABITS.map((_, at) => 20 + 2 * at)].map((at) => world.signer(at));
  const params = await world.policy.params();
  const f = new Fuzz(world, lens, new Random(seed), accounts, new Model(params), allInvariants(accounts.map(({ address }) => address)));
  for (const [at, habit] of HABITS.entries()) {
    f.providers.push({ providerId: at + 1, habit, owner: world.signer(20 + 2 * at), operator: world.signer(21 + 2 * at) });
  }
  let begun = 0;
  try {
    await f.start();
    while (begun < periods && (begun < PERIODS_MIN || Date.now() < until)) {
      begun += 1;
      await f.waitUntil(f.closeOf(f.state.current) + BigInt(f.random.int(1, 9)));
      await provider.proofRound(f);
      for (let left = f.random.int(2, 8); left > 0 && f.time + 25n < f.closeOf(f.state.current); left -= 1) {
        await draw(f.random)(f);
      }
    }
    await drain(f);
  } catch (error) {
    throw new FuzzFailure(seed, begun, f.log, error);
  }
  return f;
}
