/** One term of the committee: from its draw to its settlement. */
import { encodeReport } from "@ppio/core";
import { id, type Wallet, ZeroHash } from "ethers";
import type { Stage } from "../stage.ts";
import { machineOf } from "./machine.ts";

const ENTRIES = [{ providerId: 1, score: 9_000 }];

interface Context extends Stage {
  readonly term: number;
}

const memberOf = async ({ made, term }: Context, seat = 0): Promise<Wallet> => {
  const member = (await made.members(term))[seat] ?? made.verifiers[seat];
  if (member === undefined) throw new Error("no verifier");
  return member;
};
const windows = ({ made, term }: Context) => made.windows(term);
const draw = ({ made, term }: Context) => made.committee.drawCommittee(term);
const commit = async (c: Context, seat = 0, commitment?: string) => {
  const member = await memberOf(c, seat);
  return () => c.made.committee.connect(member).commit(c.term, commitment ?? c.made.commitment(c.term, member.address, ENTRIES));
};
const reveal = async (c: Context, seat = 0, entries = ENTRIES) => {
  const member = await memberOf(c, seat);
  return () => c.made.committee.reveal(member, c.term, c.made.salt(c.term, member.address), encodeReport(entries));
};
const committing = async (c: Context) => {
  await draw(c);
  await c.made.toPeriod((await windows(c)).commit);
};
/** The first member has committed. */
const revealing = async (c: Context) => {
  await committing(c);
  await (await commit(c))();
  await c.made.toPeriod((await windows(c)).reveal);
};
const scoring = async (c: Context) => {
  await draw(c);
  await c.made.report(
    c.term,
    (await c.made.members(c.term)).map(() => ENTRIES),
  );
};
const settling = async (c: Context) => {
  await scoring(c);
  await c.made.toSettlement(c.term);
};
const settle = ({ made, term }: Context) => made.committee.settle(term);

export const term = machineOf<Context>({
  async start(stage) {
    const term = (await stage.made.term()) + 1;
    await stage.made.toTerm(term);
    return { ...stage, term };
  },
  states: {
    Open: async () => {},
    Drawn: draw,
    Committing: committing,
    Revealing: revealing,
    Scoring: scoring,
    Settling: settling,
    async Settled(c) {
      await settling(c);
      await settle(c);
    },
  },
  calls: {
    drawCommittee: async (c) => () => draw(c),
    commit: (c) => commit(c),
    reveal: (c) => reveal(c),
    finalise:
      async ({ made, term }) =>
      () =>
        made.committee.finalise(term, [1]),
    settle: async (c) => () => settle(c),
  },
  also: {
    "Open: commit later without a committee": async (c) => {
      await c.made.toPeriod((await windows(c)).commit);
      return commit(c);
    },
    "Drawn: setParams by another than the owner":
      async ({ made, world, term }) =>
      async () => {
        const { minStakeWei, rewardWei, silentBps, unrevealedBps, toleranceScore, thresholdScore, maxServiceBps } =
          await made.committee.paramsAt(term);
        const params = { minStakeWei, rewardWei, silentBps, unrevealedBps, toleranceScore, thresholdScore, maxServiceBps };
        return made.committee.connect(world.reporter).setParams(params);
      },
    "Committing: commit by another than a member":
      async ({ made, world, term }) =>
      () =>
        made.committee.connect(world.reporter).commit(term, id("x")),
    "Committing: commit to nothing": (c) => commit(c, 0, ZeroHash),
    "Committing: commit a second time": async (c) => {
      await (await commit(c))();
      return commit(c, 0, id("another"));
    },
    "Revealing: reveal a second time": async (c) => {
      const again = await reveal(c);
      await again();
      return again;
    },
    "Revealing: reveal another report": (c) => reveal(c, 0, [{ providerId: 1, score: 1 }]),
    "Revealing: reveal what was not committed": (c) => reveal(c, 1),
    "Scoring: finalise too many at once":
      async ({ made, term }) =>
      () =>
        made.committee.finalise(
          term,
          Array.from({ length: 25 }, (_, at) => at + 1),
        ),
  },
  async stateOf(c) {
    const { members, settled } = await c.made.committee.termOf(c.term);
    if (settled) return "Settled";
    const { commit: from, reveal: second, finalise: third, settle: last } = await windows(c);
    const period = await c.world.period();
    if (period >= last) return "Settling";
    if (period >= third) return "Scoring";
    if (period >= second) return "Revealing";
    if (period >= from) return "Committing";
    return members.length === 0 ? "Open" : "Drawn";
  },
});
