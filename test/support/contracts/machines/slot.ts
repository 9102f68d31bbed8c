/** Slots, as their words say, and what the deal's end and the provider's eviction make of those that were not settled since. */
import { evictByLie } from "../lies.ts";
import type { Stage } from "../stage.ts";
import type { OpenedDeal, TestProvider } from "../world.ts";
import { type Attempt, machineOf } from "./machine.ts";

const STATUSES = ["None", "Filled", "Vacant", "Closed", "Challenged", "Reserved"];

interface Context extends Stage {
  target: OpenedDeal;
  slotIndex: number;
}

const lose = ({ world, target, slotIndex, providers: [p1] }: Context, by = p1.operator) =>
  world.market.connect(by).declareLost(target.dealId, slotIndex);
const challenge = ({ world, target, slotIndex }: Context) => world.challenges.connect(world.reporter).open(target.dealId, slotIndex);
const reserve = ({ world, target, slotIndex }: Context) => world.repair.connect(world.reporter).reserve(target.dealId, [slotIndex]);
/** Over the same providers, of `periods`, in place of the long deal. */
const shorten = async (c: Context, periods: number) => {
  c.target = await c.world.open(c.providers.slice(0, 3), { periods });
};
const toEnd = async (c: Context) => c.world.enter(Number((await c.world.market.deal(c.target.dealId)).end));

const handOver = async (c: Context, change: object = {}, to: TestProvider = c.providers[3], by = c.providers[0].operator) => {
  const { world, target, slotIndex } = c;
  const { offer, refill } = await world.refillOffer(target, slotIndex, to);
  const changed = { ...offer, ...change };
  Object.assign(changed, await world.signOffer({ ...target.terms, ...refill }, slotIndex, changed, to.operator));
  return () => world.market.connect(by).handOver(target.dealId, slotIndex, changed, refill);
};
const refill = async (c: Context, to: TestProvider = c.providers[3], by = c.world.user) => {
  const { world, target, slotIndex } = c;
  const { offer, refill: terms } = await world.refillOffer(target, slotIndex, to);
  return () => world.market.connect(by).refill(target.dealId, slotIndex, offer, terms);
};
const tenure: Attempt<Context> =
  async ({ world, target, slotIndex, providers: [p1] }) =>
  () =>
    world.market.settleTenure(target.dealId, slotIndex, p1.providerId);

export const slot = machineOf<Context>({
  start: async (stage) => ({ ...stage, target: stage.deal, slotIndex: 0 }),
  states: {
    async None(c) {
      c.slotIndex = 9;
    },
    Filled: async () => {},
    Challenged: challenge,
    Vacant: (c) => lose(c),
    async Reserved(c) {
      await lose(c);
      await reserve(c);
    },
    async Closed(c) {
      await shorten(c, 1);
      await c.world.pass(...c.providers.slice(0, 3));
      await c.world.market.settle(c.target.dealId, [0]);
    },
    "Filled, evicted": ({ world, target, slotIndex, providers: [p1] }) => evictByLie(world, p1, target, slotIndex),
    async "Filled, ended"(c) {
      await shorten(c, 2);
      await toEnd(c);
    },
    async "Vacant, ended"(c) {
      await shorten(c, 2);
      await lose(c);
      await toEnd(c);
    },
  },
  calls: {
    settle:
      async ({ world, target, slotIndex }) =>
      () =>
        world.market.settle(target.dealId, [slotIndex]),
    declareLost: async (c) => () => lose(c),
    handOver: (c) => handOver(c),
    refill: (c) => refill(c),
    challenge: async (c) => () => challenge(c),
    reserve: async (c) => () => reserve(c),
  },
  also: {
    "Filled: declareLost by another": async (c) => () => lose(c, c.world.reporter),
    "Filled: handOver by another": (c) => handOver(c, {}, c.providers[3], c.world.reporter),
    "Filled: handOver to a provider of the deal": (c) => handOver(c, {}, c.providers[1]),
    "Filled: handOver for less collateral": (c) => handOver(c, { collateralWei: 10n ** 9n }),
    "Filled: handOver for other pay": (c) => handOver(c, { payPerPeriodWei: 10n ** 9n }),
    "Filled: handOver of other bytes": (c) => handOver(c, { root: c.target.trees[1]?.root ?? "" }),
    "Filled: settleTenure of the holder": tenure,
    "Filled: startChallenge by a stranger":
      async ({ world, target }) =>
      () =>
        world.market.connect(world.reporter).startChallenge(target.dealId, 0),
    "Challenged: endChallenge by a stranger":
      async ({ world, target }) =>
      () =>
        world.market.connect(world.reporter).endChallenge(target.dealId, 0, world.reporter),
    "Vacant: refill by another than the owner": (c) => refill(c, c.providers[3], c.world.reporter),
    "Vacant: refill with a provider of the deal": (c) => refill(c, c.providers[1]),
    "Vacant: refill with the provider that lost it": (c) => refill(c, c.providers[0]),
    "Vacant: reserve in the deal's last period": async (c) => {
      const { end } = await c.world.market.deal(c.target.dealId);
      await c.world.enter(Number(end) - 1);
      return () => reserve(c);
    },
    "Vacant: settleTenure a second time": async (c) => {
      const settle = await tenure(c);
      await settle();
      return settle;
    },
    "Reserved: unreserve by a stranger":
      async ({ world, target }) =>
      () =>
        world.market.connect(world.reporter).unreserve(target.dealId, 0),
  },
  async stateOf({ world, target, slotIndex, providers: [p1] }) {
    const { n, end, vacantSlots } = await world.market.deal(target.dealId);
    if (slotIndex >= Number(n)) return "None";
    const { status, providerId } = await world.market.slot(target.dealId, slotIndex);
    const name = STATUSES[Number(status)] ?? "";
    const isUnsettled = Number(providerId) === p1.providerId && (await world.registry.evictedAtPeriod(p1.providerId)) !== 0n;
    if (name === "Vacant" && vacantSlots === 0n && isUnsettled) return "Filled, evicted";
    const isEnded = (await world.period()) >= Number(end);
    return isEnded && (name === "Filled" || name === "Vacant") ? `${name}, ended` : name;
  },
});
