/** Providers and what they ask back of their collateral. */
import { networkHelpers } from "../chain.ts";
import { evictByLie } from "../lies.ts";
import { UNBONDING_SECONDS } from "../parameters.ts";
import { escrowOf } from "../sponsor-world.ts";
import type { Stage } from "../stage.ts";
import type { OpenedDeal, TestProvider } from "../world.ts";
import { type Attempt, machineOf } from "./machine.ts";

const ASKED_WEI = 10n ** 19n;
const NOBODY = 99;

interface Context extends Stage {
  target: TestProvider;
  /** Of which it has slot 0. */
  readonly held: OpenedDeal;
}

const ask = ({ world, target }: Context, amountWei = ASKED_WEI, by = target.owner) =>
  world.registry.connect(by).startUnbonding(target.providerId, amountWei);
const take = ({ world, target }: Context, by = target.owner) => world.registry.connect(by).withdrawCollateral(target.providerId);
const lie = ({ world, target, held }: Context) => evictByLie(world, target, held, 0);

export const provider = machineOf<Context>({
  async start(stage) {
    const { world, providers } = stage;
    const held = await world.open([providers[3], providers[1]], { periods: 60 });
    await world.fund(world.user, 100n * escrowOf(held.terms));
    return { ...stage, target: providers[3], held };
  },
  states: {
    async None(c) {
      c.target = { ...c.target, providerId: NOBODY };
    },
    Bonded: async () => {},
    Waiting: (c) => ask(c),
    async Ripe(c) {
      await ask(c);
      await networkHelpers.time.increase(UNBONDING_SECONDS);
    },
    async Lapsed(c) {
      await ask(c);
      await networkHelpers.time.increase(2n * UNBONDING_SECONDS + 1n);
    },
    Evicted: lie,
  },
  calls: {
    depositCollateral: async (c) => () => c.world.registry.connect(c.world.user).depositCollateral(c.target.providerId, 10n ** 9n),
    startUnbonding: async (c) => () => ask(c),
    withdrawCollateral: async (c) => () => take(c),
    async openDeals({ world, target, providers }) {
      const { terms } = await world.makeTerms([target, providers[0]]);
      return () => world.market.connect(world.user).openDeals([terms]);
    },
    proveLie: async (c) => () => lie(c),
    setOperatorCap:
      async ({ world, target }) =>
      () =>
        world.registry.connect(target.owner).setOperatorCap(target.providerId, ASKED_WEI),
    offerOwnership:
      async ({ world, target }) =>
      () =>
        world.registry.connect(target.owner).offerOwnership(target.providerId, world.user),
  },
  also: {
    "Bonded: startUnbonding by another than the owner": async (c) => () => ask(c, ASKED_WEI, c.target.operator),
    "Bonded: startUnbonding of more than is free": async (c) => () => ask(c, 1_000n * 10n ** 18n),
    "Bonded: startUnbonding of part of a gwei": async (c) => () => ask(c, 1n),
    "Bonded: acceptOwnership that was not offered":
      async ({ world, target }) =>
      () =>
        world.registry.connect(world.user).acceptOwnership(target.providerId),
    "Bonded: slash by a stranger":
      async ({ world, target }) =>
      () =>
        world.registry.connect(world.user).slash(target.providerId, 1n),
    "Bonded: evict by a stranger":
      async ({ world, target }) =>
      () =>
        world.registry.connect(world.user).evict(target.providerId, 1),
    "Bonded: punishMalice by a stranger":
      async ({ world, target }) =>
      () =>
        world.proofs.connect(world.user).punishMalice(target.providerId, world.user),
    "Bonded: slashForService by a stranger":
      async ({ world, target }) =>
      () =>
        world.proofs.connect(world.user).slashForService(target.providerId, 1),
    "Bonded: slashForService of too much":
      async ({ world, target }) =>
      () =>
        world.proofs.connect(world.committee).slashForService(target.providerId, 201),
    "Bonded: slashForService with the week's budget spent": async ({ world, target }) => {
      const slash = () => world.proofs.connect(world.committee).slashForService(target.providerId, 200);
      await slash();
      return slash;
    },
    "Ripe: withdrawCollateral by another than the owner": async (c) => () => take(c, c.target.operator),
    "Evicted: prove": lastPeriod(async ({ world, target }, period) => world.proofs.prove(target.providerId, period, [])),
    "Evicted: reportMiss": async (c) => {
      const period = await c.world.period();
      await c.world.next();
      await c.world.next();
      await c.world.openReports();
      return () => c.world.proofs.reportMiss(c.target.providerId, period, c.held.dealId, 0);
    },
    "Evicted: compact": async ({ world, target }) => {
      const period = await world.period();
      return () => world.proofs.connect(target.operator).compact(target.providerId, period, []);
    },
    "Evicted: slashForService":
      async ({ world, target }) =>
      () =>
        world.proofs.connect(world.committee).slashForService(target.providerId, 1),
    "Evicted: declareLost":
      async ({ world, target, held }) =>
      () =>
        world.market.connect(target.operator).declareLost(held.dealId, 0),
  },
  async stateOf({ world, target }) {
    if (target.providerId === NOBODY) return "None";
    const { evictedAtPeriod, unbondingWei, unbondingUntil } = await world.registry.getProvider(target.providerId);
    if (evictedAtPeriod !== 0n) return "Evicted";
    if (unbondingWei === 0n) return "Bonded";
    const now = BigInt(await networkHelpers.time.latest());
    if (now < unbondingUntil) return "Waiting";
    return now <= unbondingUntil + UNBONDING_SECONDS ? "Ripe" : "Lapsed";
  },
});

function lastPeriod(call: (c: Context, period: number) => Promise<unknown>): Attempt<Context> {
  return async (c) => {
    const period = (await c.world.next()) - 1;
    await c.world.seed(period);
    return () => call(c, period);
  };
}
