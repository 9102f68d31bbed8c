/** Sponsorships of a deal by a developer's pool. */
import { sponsoredRenewalMessage } from "@ppio/core";
import { FAR } from "../parameters.ts";
import { makeSponsored, openSponsored, type SponsoredDeal } from "../sponsor-world.ts";
import type { Stage } from "../stage.ts";
import { machineOf } from "./machine.ts";

const STATUSES = ["None", "Opened", "Cancelled"];

interface Context extends Stage {
  readonly target: SponsoredDeal;
  readonly newEnd: number;
}

const open = ({ pool, target }: Context) => openSponsored(pool.pool, target);
const renew = async ({ pool, target, newEnd }: Context) => {
  const value = { dealId: target.sponsorship.dealId, newEnd, escrowMaxWei: 10n ** 17n, deadline: Number(FAR) };
  const signature = await sponsoredRenewalMessage.sign(pool.domain, value, pool.hotKey);
  return () => pool.pool.renewDeal(value.dealId, newEnd, value.escrowMaxWei, FAR, signature);
};
const cancel = ({ pool, target }: Context, by = pool.hotKey) => pool.pool.connect(by).cancel(target.sponsorship.dealId);

export const sponsorship = machineOf<Context>({
  async start(stage) {
    const { world, pool, providers } = stage;
    const period = await world.period();
    const renewUntil = period + 100;
    const target = await makeSponsored(world, pool, providers.slice(0, 2), { user: world.user, renewUntil });
    return { ...stage, target, newEnd: period + 15 };
  },
  states: { None: async () => {}, Opened: open, Cancelled: (c) => cancel(c) },
  calls: { openDeal: async (c) => () => open(c), renewDeal: renew, cancel: async (c) => () => cancel(c) },
  also: {
    "None: cancel by a stranger": async (c) => () => cancel(c, c.world.user),
    "None: openDeal beyond the budget": async (c) => {
      await c.pool.pool.connect(c.pool.developer).setBudget(1n);
      return () => open(c);
    },
    "None: openDeal beyond the user's quota": async (c) => {
      await c.pool.pool.connect(c.pool.developer).setLimits({ userWeiPerWindow: 1n, userDealsPerWindow: 1, windowSeconds: 1n });
      return () => open(c);
    },
    "None: withdraw by another than the developer":
      async ({ pool, world }) =>
      () =>
        pool.pool.connect(world.user).withdraw(world.user, 1n),
    "None: reclaim nothing":
      async ({ pool }) =>
      () =>
        pool.pool.reclaim(),
    "Opened: renewDeal a second time": async (c) => {
      const again = await renew(c);
      await again();
      return again;
    },
  },
  async stateOf({ pool, target }) {
    return STATUSES[Number((await pool.pool.sponsorshipOf(target.sponsorship.dealId)).status)] ?? "";
  },
});
