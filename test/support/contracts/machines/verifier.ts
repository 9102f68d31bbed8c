/** Verifiers and their stake. */
import { id, type Wallet } from "ethers";
import { MIN_STAKE_WEI } from "../committee.ts";
import type { Stage } from "../stage.ts";
import { machineOf } from "./machine.ts";

const STATUSES = ["None", "Active", "Leaving", "Slashed"];

interface Context extends Stage {
  target: Wallet;
  /** In which it has a seat. */
  readonly term: number;
}

const as = ({ made, target }: Context) => made.committee.connect(target);
/** Shows two commitments of it for one term. */
const convict = async ({ made, world, target, term }: Context) => {
  const [one, other] = [id("one"), id("other")];
  const [first, second] = [await made.signCommit(target, term, one), await made.signCommit(target, term, other)];
  return () => made.committee.connect(world.reporter).reportEquivocation(target, term, one, first, other, second);
};
const leave = async (c: Context) => as(c).leave();
const free = async (c: Context) => {
  await leave(c);
  await c.made.toTerm(Number((await c.made.committee.verifierOf(c.target)).freeFromTerm));
};

export const verifier = machineOf<Context>({
  async start(stage) {
    const term = await stage.made.nextCommittee();
    const [target] = await stage.made.members(term);
    if (target === undefined) throw new Error("no members");
    return { ...stage, target, term };
  },
  states: {
    async None(c) {
      c.target = await c.made.newAccount();
    },
    Active: async () => {},
    Leaving: leave,
    Free: free,
    Slashed: async (c) => (await convict(c))(),
  },
  calls: {
    join: async (c) => () => as(c).join(MIN_STAKE_WEI),
    topUp:
      async ({ made, world, target }) =>
      () =>
        made.committee.connect(world.reporter).topUp(target, 5n),
    leave: async (c) => () => leave(c),
    withdrawStake: async (c) => () => as(c).withdrawStake(c.target),
    reportEquivocation: convict,
  },
  also: {
    "None: join with too little": async (c) => () => as(c).join(MIN_STAKE_WEI - 1n),
    "Active: withdrawCredit that is not there": async (c) => () => as(c).withdrawCredit(c.target),
    "Free: reportEquivocation after withdrawStake": async (c) => {
      await as(c).withdrawStake(c.target);
      return convict(c);
    },
  },
  async stateOf({ made, target }) {
    const { status, freeFromTerm } = await made.committee.verifierOf(target);
    const name = STATUSES[Number(status)] ?? "";
    return name === "Leaving" && (await made.term()) >= Number(freeFromTerm) ? "Free" : name;
  },
});
