/** Deals: None, Active, Ended (still Active, its periods over), Completed, Terminated, Failed. */
import { RENEW_DEAL_TYPES } from "@ppio/core";
import { FAR, NO_PERMIT } from "../parameters.ts";
import { escrowOf, signOpenDeal } from "../sponsor-world.ts";
import type { Stage } from "../stage.ts";
import { TERMINATE_DEAL_TYPES } from "../typed-data.ts";
import type { OpenedDeal, World } from "../world.ts";
import { machineOf } from "./machine.ts";

const PERIODS = 3;
const STATUSES = ["None", "Active", "Completed", "Terminated", "Failed"];

interface Context extends Stage {
  readonly target: Pick<OpenedDeal, "dealId" | "terms" | "trees">;
  readonly market: World["market"];
}

const open = ({ market, target }: Context) => market.openDeals([target.terms]);
const lose = async ({ world, target, providers }: Context, slotIndex: 0 | 1) =>
  world.market.connect(providers[slotIndex].operator).declareLost(target.dealId, slotIndex);
const endOf = async ({ world, target: { dealId } }: Context) => Number((await world.market.deal(dealId)).end);
const reserve = ({ world, target }: Context) => world.repair.connect(world.reporter).reserve(target.dealId, [0]);
const refill = async ({ world, market, target, providers }: Context) => {
  const { offer, refill: terms } = await world.refillOffer(target, 0, providers[3]);
  return () => market.refill(target.dealId, 0, offer, terms);
};

export const deal = machineOf<Context>({
  async start(stage) {
    const { world, providers } = stage;
    const { terms, trees } = await world.makeTerms(providers.slice(0, 2), { periods: PERIODS, renewUntil: (await world.period()) + 20 });
    const dealId = await world.market.dealIdOf(terms.owner, terms.dealSalt);
    for (const [at, tree] of trees.entries()) world.trees.set(`${dealId}/${at}`, tree);
    await world.fund(world.user, 100n * escrowOf(terms));
    return { ...stage, target: { dealId, terms, trees }, market: world.market.connect(world.user) };
  },
  states: {
    None: async () => {},
    Active: open,
    async Ended(c) {
      await open(c);
      await c.world.enter(await endOf(c));
    },
    async Completed(c) {
      await open(c);
      for (let at = 0; at < PERIODS; at += 1) await c.world.pass(...c.providers.slice(0, 2));
      await c.market.settle(c.target.dealId, [0, 1]);
    },
    async Terminated(c) {
      await open(c);
      await c.market.terminate(c.target.dealId);
    },
    async Failed(c) {
      await open(c);
      await lose(c, 0);
      await lose(c, 1);
    },
  },
  calls: {
    openDeals: async (c) => () => open(c),
    async openDealWithSig({ world, market, target: { terms } }) {
      const signature = await signOpenDeal(world, terms, world.user);
      return () => market.openDealWithSig(terms, escrowOf(terms), FAR, signature);
    },
    async renew(c) {
      const end = await endOf(c);
      return () => c.market.renew(c.target.dealId, end + 1);
    },
    async renewWithSig(c) {
      const [{ dealId }, newEnd] = [c.target, (await endOf(c)) + 1];
      const signature = await c.world.user.signTypedData(await c.world.domain(), RENEW_DEAL_TYPES, { dealId, newEnd, deadline: FAR });
      return () => c.world.market.renewWithSig(dealId, newEnd, FAR, signature, NO_PERMIT);
    },
    terminate:
      async ({ market, target }) =>
      () =>
        market.terminate(target.dealId),
    async terminateWithSig({ world, target: { dealId } }) {
      const signature = await world.user.signTypedData(await world.domain(), TERMINATE_DEAL_TYPES, { dealId, deadline: FAR });
      return () => world.market.terminateWithSig(dealId, FAR, signature);
    },
    settle:
      async ({ world, target }) =>
      () =>
        world.market.settle(target.dealId, [0, 1]),
  },
  also: {
    async "Active: renew by another than the payer"(c) {
      const end = await endOf(c);
      return () => c.world.market.connect(c.world.reporter).renew(c.target.dealId, end + 1);
    },
    "Active: renew beyond renewUntil":
      async ({ market, target }) =>
      () =>
        market.renew(target.dealId, Number(target.terms.renewUntil) + 1),
    async "Active: renew to no later end"(c) {
      const end = await endOf(c);
      return () => c.market.renew(c.target.dealId, end);
    },
    "Active: terminate by another than the owner":
      async ({ world, target }) =>
      () =>
        world.market.connect(world.reporter).terminate(target.dealId),
    async "Terminated: refill a vacant slot"(c) {
      await lose(c, 0);
      return refill(c);
    },
    async "Terminated: reserve a vacant slot"(c) {
      await lose(c, 0);
      return () => reserve(c);
    },
    "Failed: refill a vacant slot": refill,
    "Failed: reserve a vacant slot": async (c) => () => reserve(c),
  },
  async stateOf(c) {
    const { status, end } = await c.world.market.deal(c.target.dealId);
    const name = STATUSES[Number(status)] ?? "";
    return name === "Active" && (await c.world.period()) >= Number(end) ? "Ended" : name;
  },
});
