/** Challenges of one slot. A challenge that is over is forgotten: None again. */
import { networkHelpers } from "../chain.ts";
import type { Stage } from "../stage.ts";
import { type Attempt, machineOf } from "./machine.ts";

const CHALLENGED = 4n;
const SLOT = 0;

const open = ({ world, deal }: Stage) => world.challenges.connect(world.reporter).open(deal.dealId, SLOT);
const asked = ({ world, deal }: Stage) => world.challenges.challengeOf(deal.dealId, SLOT);
const isKnown = async (c: Stage) => BigInt(await c.world.beacon.randomness((await asked(c)).round)) !== 0n;
const answerable = async (c: Stage) => {
  await open(c);
  await c.world.submitRound((await asked(c)).round);
};
const overdue = async (c: Stage) => networkHelpers.time.increaseTo((await asked(c)).deadline + 1n);
const proofs = async ({ world, deal }: Stage, slotIndex = SLOT) =>
  world.leafProofs(deal.dealId, slotIndex, await world.challenges.leavesOf(deal.dealId, SLOT));
const answer = (shown: (c: Stage) => Promise<string[]>): Attempt<Stage> => {
  return async (c) => {
    const leaves = (await asked(c)).round !== 0n && (await isKnown(c)) ? await shown(c) : [];
    return () => c.world.challenges.answer(c.deal.dealId, SLOT, leaves);
  };
};

export const challenge = machineOf<Stage>({
  start: async (stage) => stage,
  states: {
    None: async () => {},
    Asked: open,
    Answerable: answerable,
    async Overdue(c) {
      await answerable(c);
      await overdue(c);
    },
    async "Overdue, no beacon"(c) {
      await open(c);
      await overdue(c);
    },
    async "Given up"(c) {
      await answerable(c);
      await c.world.market.connect(c.providers[0].operator).declareLost(c.deal.dealId, SLOT);
    },
  },
  calls: {
    open: async (c) => () => open(c),
    answer: answer((c) => proofs(c)),
    resolve:
      async ({ world, deal }) =>
      () =>
        world.challenges.resolve(deal.dealId, SLOT),
  },
  also: {
    "None: open without the bond's tokens": async (c) => () => c.world.challenges.connect(c.world.signer(13)).open(c.deal.dealId, SLOT),
    "None: setBond by another than the timelock": async (c) => () => c.world.challenges.setBond(5n),
    "None: setBond out of its bounds": async (c) => () => c.world.challenges.connect(c.world.timelock).setBond(0n),
    "Asked: withdraw the bond": async (c) => () => c.world.challenges.connect(c.world.reporter).withdraw(c.world.reporter),
    "Answerable: answer with a leaf too few": answer(async (c) => (await proofs(c)).slice(1)),
    "Answerable: answer with another slot's leaves": answer((c) => proofs(c, 1)),
  },
  async stateOf(c) {
    const { challenger, deadline, round } = await asked(c);
    if (BigInt(challenger) === 0n) return "None";
    if ((await c.world.market.slot(c.deal.dealId, SLOT)).status !== CHALLENGED) return "Given up";
    if (BigInt(await networkHelpers.time.latest()) <= deadline) return (await isKnown(c)) ? "Answerable" : "Asked";
    return (await c.world.beacon.isOnTime(round)) ? "Overdue" : "Overdue, no beacon";
  },
});
