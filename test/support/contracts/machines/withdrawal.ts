/** A payer's withdrawal of reserve and bond. */
import { networkHelpers } from "../chain.ts";
import { DELAY_SECONDS } from "../escrow.ts";
import type { Stage } from "../stage.ts";
import { machineOf } from "./machine.ts";

const as = ({ escrow }: Stage) => escrow.escrow.connect(escrow.payer);
const request = (c: Stage, reserveWei = 60n, bondWei = 20n) => as(c).requestWithdrawal(reserveWei, bondWei);

export const withdrawal = machineOf<Stage>({
  async start(stage) {
    await stage.escrow.fund(100n, 30n);
    return stage;
  },
  states: {
    None: async () => {},
    Waiting: (c) => request(c),
    async Ripe(c) {
      await request(c);
      await networkHelpers.time.increase(DELAY_SECONDS);
    },
    async Lapsed(c) {
      await request(c);
      await networkHelpers.time.increase(2n * DELAY_SECONDS + 1n);
    },
  },
  calls: {
    requestWithdrawal: async (c) => () => request(c),
    cancelWithdrawal: async (c) => () => as(c).cancelWithdrawal(),
    completeWithdrawal: async (c) => () => as(c).completeWithdrawal(c.escrow.payer),
  },
  also: {
    "None: requestWithdrawal of nothing": async (c) => () => request(c, 0n, 0n),
    "None: requestWithdrawal of more than there is": async (c) => () => request(c, 101n, 0n),
    "None: withdraw without credit": async (c) => () => as(c).withdraw(c.escrow.payer),
    "None: burn nothing":
      async ({ escrow }) =>
      () =>
        escrow.escrow.burn(escrow.payer),
    "Ripe: completeWithdrawal by another":
      async ({ escrow }) =>
      () =>
        escrow.escrow.connect(escrow.thief).completeWithdrawal(escrow.thief),
  },
  async stateOf({ escrow }) {
    const { ripeAt } = await escrow.escrow.accountOf(escrow.payer);
    if (ripeAt === 0n) return "None";
    const now = BigInt(await networkHelpers.time.latest());
    if (now < ripeAt) return "Waiting";
    return now <= ripeAt + DELAY_SECONDS ? "Ripe" : "Lapsed";
  },
});
