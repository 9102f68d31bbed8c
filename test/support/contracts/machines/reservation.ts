/** Reservations of one slot that is vacant. A reservation that is over is forgotten: None again. */
import { networkHelpers } from "../chain.ts";
import { RESERVATION_SECONDS } from "../parameters.ts";
import type { Stage } from "../stage.ts";
import type { TestProvider } from "../world.ts";
import { type Attempt, machineOf } from "./machine.ts";

const RESERVED = 5n;
const SLOT = 0;

interface Context extends Stage {
  readonly spare: TestProvider;
}

const reserve = ({ world, deal }: Context, slotIndices = [SLOT]) => world.repair.connect(world.reporter).reserve(deal.dealId, slotIndices);
const held = ({ world, deal }: Context) => world.repair.reservationOf(deal.dealId, SLOT);
const isKnown = async (c: Context) => BigInt(await c.world.beacon.randomness((await held(c)).round)) !== 0n;
const ready = async (c: Context) => {
  await reserve(c);
  await c.world.submitRound((await held(c)).round);
};
const proofs = async ({ world, deal, spare }: Context, slotIndex = SLOT) =>
  world.leafProofs(deal.dealId, slotIndex, await world.repair.leavesOf(deal.dealId, SLOT, spare.providerId));
const fill = (
  change: object = {},
  shown: (c: Context) => Promise<string[]> = proofs,
  by = (c: Context) => c.world.reporter,
): Attempt<Context> => {
  return async (c) => {
    const { world, deal, spare } = c;
    const { offer, refill } = await world.refillOffer(deal, SLOT, spare);
    const changed = { ...offer, ...change };
    Object.assign(changed, await world.signOffer({ ...deal.terms, ...refill }, SLOT, changed, spare.operator));
    const leaves = (await held(c)).round !== 0n && (await isKnown(c)) ? await shown(c) : [];
    return () => world.repair.connect(by(c)).fill(deal.dealId, SLOT, changed, refill, leaves);
  };
};
const release =
  (by: (c: Context) => TestProvider["owner"]): Attempt<Context> =>
  async (c) =>
  () =>
    c.world.repair.connect(by(c)).release(c.deal.dealId, SLOT);

export const reservation = machineOf<Context>({
  async start(stage) {
    const { world, deal, providers } = stage;
    await world.market.connect(providers[0].operator).declareLost(deal.dealId, SLOT);
    return { ...stage, spare: await world.addProvider(4) };
  },
  states: {
    None: async () => {},
    Held: (c) => reserve(c),
    Ready: ready,
    async Over(c) {
      await ready(c);
      await networkHelpers.time.increase(RESERVATION_SECONDS + 1n);
    },
    async Overtaken(c) {
      await ready(c);
      const { offer, refill } = await c.world.refillOffer(c.deal, SLOT, c.providers[3]);
      await c.world.market.connect(c.world.user).refill(c.deal.dealId, SLOT, offer, refill);
    },
  },
  calls: { reserve: async (c) => () => reserve(c), fill: fill(), release: release((c) => c.world.reporter) },
  also: {
    "None: reserve no slot": async (c) => () => reserve(c, []),
    "None: withdraw": async (c) => () => c.world.repair.connect(c.world.reporter).withdraw(c.world.reporter),
    "Held: release by another": release((c) => c.world.signer(14)),
    "Ready: release by another": release((c) => c.world.signer(14)),
    "Ready: fill by another": fill({}, proofs, (c) => c.world.signer(14)),
    "Ready: fill with a leaf too few": fill({}, async (c) => (await proofs(c)).slice(1)),
    "Ready: fill with another slot's leaves": fill({}, (c) => proofs(c, 1)),
    "Ready: fill for less collateral": fill({ collateralWei: 10n ** 9n }),
    "Ready: fill for other pay": fill({ payPerPeriodWei: 10n ** 9n }),
  },
  async stateOf(c) {
    const { repairer, until } = await held(c);
    if (BigInt(repairer) === 0n) return "None";
    if ((await c.world.market.slot(c.deal.dealId, SLOT)).status !== RESERVED) return "Overtaken";
    if (BigInt(await networkHelpers.time.latest()) > until) return "Over";
    return (await isKnown(c)) ? "Ready" : "Held";
  },
});
