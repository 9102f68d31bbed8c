/** A change of the penalty policy's numbers on its way through the timelock. */
import { ZeroHash } from "ethers";
import type { PenaltyPolicy } from "../../../../typechain-types/index.ts";
import { ethers, networkHelpers } from "../chain.ts";
import { PARAMS } from "../parameters.ts";
import { type Stage, TIMELOCK_SECONDS } from "../stage.ts";
import { machineOf } from "./machine.ts";

const STATES = ["Unset", "Waiting", "Ready", "Done"];

interface Context extends Stage {
  /** Governed by the timelock. */
  readonly policy: PenaltyPolicy;
}

const change = ({ policy }: Context, warningWindowPeriods = 21) =>
  policy.interface.encodeFunctionData("setParams", [{ ...PARAMS, warningWindowPeriods }]);
const schedule = (c: Context, by = c.world.signer(0), seconds = TIMELOCK_SECONDS, data = change(c)) =>
  c.timelock.connect(by).schedule(c.policy, 0n, data, ZeroHash, ZeroHash, seconds);
const execute = (c: Context, by = c.world.signer(1), data = change(c)) =>
  c.timelock.connect(by).execute(c.policy, 0n, data, ZeroHash, ZeroHash);
const idOf = (c: Context) => c.timelock.hashOperation(c.policy, 0n, change(c), ZeroHash, ZeroHash);
const ready = async (c: Context) => {
  await schedule(c);
  await networkHelpers.time.increase(TIMELOCK_SECONDS);
};

export const policyChange = machineOf<Context>({
  start: async (stage) => ({ ...stage, policy: await ethers.deployContract("PenaltyPolicy", [stage.timelock, PARAMS]) }),
  states: {
    Unset: async () => {},
    Waiting: (c) => schedule(c),
    Ready: ready,
    async Done(c) {
      await ready(c);
      await execute(c);
    },
  },
  calls: {
    schedule: async (c) => () => schedule(c),
    execute: async (c) => () => execute(c),
    cancel: async (c) => {
      const operation = await idOf(c);
      return () => c.timelock.connect(c.world.signer(0)).cancel(operation);
    },
  },
  also: {
    "Unset: schedule by a stranger": async (c) => () => schedule(c, c.world.signer(4)),
    "Unset: schedule sooner than the delay": async (c) => () => schedule(c, c.world.signer(0), TIMELOCK_SECONDS - 1n),
    "Unset: setParams past the timelock":
      async ({ policy }) =>
      () =>
        policy.setParams(PARAMS),
    "Ready: execute by a stranger": async (c) => () => execute(c, c.world.signer(4)),
    "Ready: execute with other numbers": async (c) => () => execute(c, c.world.signer(1), change(c, 22)),
    "Unset: execute numbers out of their bounds": async (c) => {
      const data = c.policy.interface.encodeFunctionData("setParams", [{ ...PARAMS, fundBps: 1 }]);
      await schedule(c, c.world.signer(0), TIMELOCK_SECONDS, data);
      await networkHelpers.time.increase(TIMELOCK_SECONDS);
      return () => execute(c, c.world.signer(1), data);
    },
  },
  async stateOf(c) {
    return STATES[Number(await c.timelock.getOperationState(await idOf(c)))] ?? "";
  },
});
