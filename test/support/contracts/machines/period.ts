/** One period of one provider: from running to proven, missed, void or too old. */
import { ethers } from "../chain.ts";
import { headerOf } from "../headers.ts";
import { REPORT_WINDOW } from "../parameters.ts";
import type { Stage } from "../stage.ts";
import type { OpenedDeal, TestProvider } from "../world.ts";
import { type Attempt, machineOf } from "./machine.ts";

interface Context extends Stage {
  readonly period: number;
  readonly target: TestProvider;
  /** Its only slot is slot 0. */
  readonly held: OpenedDeal;
}

const isKnown = async ({ world, period }: Context) => BigInt(await world.beacon.randomness(await world.proofs.seedRound(period))) !== 0n;
const samples = async (c: Context) => ((await isKnown(c)) ? c.world.samples(c.target.providerId, c.period) : []);
const provable = async ({ world, period }: Context) => {
  await world.enter(period + 1);
  await world.seed(period);
};
/** Two periods after it, or `later` more, with the reports open. */
const reportable = async ({ world, period }: Context, later = 0) => {
  await world.enter(period + 2 + later);
  await world.openReports();
};
const prove: Attempt<Context> = async (c) => {
  const shown = await samples(c);
  return () => c.world.proofs.prove(c.target.providerId, c.period, shown);
};
const report = (c: Context, dealId = c.held.dealId, slotIndex = 0, period = c.period) =>
  c.world.proofs.connect(c.world.reporter).reportMiss(c.target.providerId, period, dealId, slotIndex);
const compact = (c: Context, by = c.target.operator, period = c.period) =>
  c.world.proofs.connect(by).compact(c.target.providerId, period, []);

export const period = machineOf<Context>({
  async start(stage) {
    const { world, providers } = stage;
    const target = providers[3];
    const period = await world.next();
    return { ...stage, target, period, held: await world.open([target, providers[1]], { periods: 60 }) };
  },
  states: {
    Running: async () => {},
    Closed: ({ world, period }) => world.enter(period + 1),
    Provable: provable,
    async Unproven(c) {
      await provable(c);
      await reportable(c);
    },
    async Proven(c) {
      await provable(c);
      await (await prove(c))();
      await reportable(c);
    },
    async Missed(c) {
      await provable(c);
      await reportable(c);
      await report(c);
    },
    async Void(c) {
      await reportable(c);
      await c.world.proofs.voidPeriod(c.period);
    },
    async "Too old"(c) {
      await provable(c);
      await reportable(c, REPORT_WINDOW);
    },
  },
  calls: {
    prove,
    reportMiss: async (c) => () => report(c),
    voidPeriod:
      async ({ world, period }) =>
      () =>
        world.proofs.voidPeriod(period),
    async voidHaltedPeriod({ world, period }) {
      const number = await ethers.provider.getBlockNumber();
      const [parent, child] = [await headerOf(number - 1), await headerOf(number)];
      return () => world.proofs.voidHaltedPeriod(period, parent.rlp, child.rlp);
    },
    compact: async (c) => () => compact(c),
  },
  also: {
    "Running: compact by a stranger": async (c) => () => compact(c, c.world.reporter),
    "Provable: prove a second time": async (c) => {
      const again = await prove(c);
      await again();
      return again;
    },
    "Provable: prove with a sample too few": async (c) => {
      const shown = (await samples(c)).slice(0, -1);
      return () => c.world.proofs.prove(c.target.providerId, c.period, shown);
    },
    "Provable: a live slot called a hole by a stranger": async (c) => {
      const shown = (await samples(c)).map((sample) => ({ ...sample, proof: "0x" }));
      return () => c.world.proofs.connect(c.world.reporter).prove(c.target.providerId, c.period, shown);
    },
    "Provable: prove an empty line": async ({ world, period }) => {
      const { providerId } = await world.addProvider(4);
      return () => world.proofs.prove(providerId, period, []);
    },
    "Provable: prove after compacting": async (c) => {
      const proving = await prove(c);
      await compact(c, c.target.operator, c.period + 1);
      return proving;
    },
    "Provable: reportMiss later without openReports": async (c) => {
      await c.world.enter(c.period + 2);
      return () => report(c);
    },
    "Unproven: reportMiss by a slot that was not live": async (c) => {
      const { dealId } = await c.world.open([c.target, c.providers[1]]);
      return () => report(c, dealId);
    },
    "Unproven: reportMiss by another's slot": async (c) => () => report(c, c.held.dealId, 1),
    "Unproven: reportMiss of the next period first": async (c) => {
      await c.world.seed(c.period + 1);
      await reportable(c, 1);
      return () => report(c, c.held.dealId, 0, c.period + 1);
    },
  },
  async stateOf(c) {
    const { world, period, target } = c;
    if (await world.proofs.isProven(target.providerId, period)) return "Proven";
    if (await world.proofs.isVoid(period)) return "Void";
    if (Number((await world.proofs.penaltyRecord(target.providerId)).lastMissPeriod) === period) return "Missed";
    const current = await world.period();
    if (current === period) return "Running";
    if (current === period + 1) return (await isKnown(c)) ? "Provable" : "Closed";
    return current > period + 1 + REPORT_WINDOW ? "Too old" : "Unproven";
  },
});
