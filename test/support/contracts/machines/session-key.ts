/** Session keys of a payer. Vouchers are never refused by an error: what became of one is its outcome (docs/protocol/vouchers.md). */
import { ethers, networkHelpers } from "../chain.ts";
import { DELAY_SECONDS, KEY_SECONDS, NO_BUDGET } from "../escrow.ts";
import type { Stage } from "../stage.ts";
import { machineOf } from "./machine.ts";

interface Context extends Stage {
  readonly key: ReturnType<typeof ethers.Wallet.createRandom>;
}

const as = ({ escrow }: Context) => escrow.escrow.connect(escrow.payer);
const authorize = async (c: Context, capWei = 2n ** 90n, seconds = KEY_SECONDS) => {
  const expiry = (await networkHelpers.time.latest()) + seconds;
  return () => as(c).authorizeKey(c.key.address, capWei, NO_BUDGET, expiry);
};
const live = async (c: Context) => {
  await c.escrow.fund(100n, 30n);
  await (await authorize(c))();
};
const ended = async (c: Context) => {
  await live(c);
  await as(c).revokeKey(c.key.address);
};

export const sessionKey = machineOf<Context>({
  start: async (stage) => ({ ...stage, key: ethers.Wallet.createRandom() }),
  states: {
    None: async () => {},
    Live: live,
    Ended: ended,
    async Over(c) {
      await ended(c);
      await networkHelpers.time.increase(DELAY_SECONDS + 1n);
    },
  },
  calls: {
    authorizeKey: (c) => authorize(c),
    revokeKey: async (c) => () => as(c).revokeKey(c.key.address),
    async redeem({ escrow, key }) {
      const voucher = await escrow.voucher(key, 10n);
      return () => escrow.escrow.redeem(escrow.payee, voucher);
    },
  },
  also: {
    "None: authorizeKey for nothing": (c) => authorize(c, 0n),
    "None: authorizeKey for too long": (c) => authorize(c, 1n, 367 * 86_400),
    "Live: revokeKey by another":
      async ({ escrow, key }) =>
      () =>
        escrow.escrow.connect(escrow.thief).revokeKey(key.address),
    "Live: redeem for nobody": async ({ escrow, key }) => {
      const voucher = await escrow.voucher(key, 10n);
      return () => escrow.escrow.redeem(ethers.ZeroAddress, voucher);
    },
    "Live: redeem too many at once": async ({ escrow, key }) => {
      const voucher = await escrow.voucher(key, 10n);
      return () => escrow.escrow.redeemBatch(escrow.payee, Array(201).fill(voucher));
    },
  },
  async stateOf({ escrow, key }) {
    const { capPerPayeeWei, expiry, redeemableUntil } = await escrow.escrow.keyOf(escrow.payer, key.address);
    if (capPerPayeeWei === 0n) return "None";
    const now = BigInt(await networkHelpers.time.latest());
    if (now < expiry) return "Live";
    return now <= redeemableUntil ? "Ended" : "Over";
  },
});
