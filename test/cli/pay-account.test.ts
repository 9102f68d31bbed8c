/** Taking a reserve back while payees draw on it. */
import { IBandwidthEscrow__factory } from "@ppio/core/interfaces";
import type { ChainContracts } from "@ppio/daemon/chain";
import { expect } from "chai";
import { makeError, Wallet } from "ethers";
import { withdrawBandwidth } from "../../cli/src/client/pay-account.ts";

const PAYER = Wallet.createRandom().address;
const RIPE_AT = 1_000n;

/** An escrow of which reads show the newest block and requests meet the next one, in which vouchers may be redeemed already. */
class BusyEscrow {
  number = 7;
  reserveWei = 100n;
  readonly requests: bigint[] = [];
  /** Redeemed in the coming blocks, one a block. */
  #coming: bigint[];

  constructor(...redemptions: bigint[]) {
    this.#coming = redemptions;
  }

  readonly runner = {
    provider: {
      // Each time that it is asked for, the next one comes.
      getBlockNumber: async () => {
        this.#mine();
        return this.number;
      },
    },
  };
  accountOf = async () => ({
    reserveWei: this.reserveWei,
    bondWei: 5n,
    ripeAt: this.requests.length > 0 ? RIPE_AT : 0n,
    requestedReserveWei: 0n,
    requestedBondWei: 0n,
  });
  delaySeconds = async () => 60n;
  requestWithdrawal = async (reserveWei: bigint, bondWei: bigint) => {
    const presentWei = this.reserveWei - (this.#coming[0] ?? 0n);
    if (reserveWei > presentWei) throw refusal(reserveWei, presentWei);
    expect(bondWei).to.equal(5n);
    this.requests.push(reserveWei);
    return { wait: async () => undefined };
  };

  #mine(): void {
    this.number += 1;
    this.reserveWei -= this.#coming.shift() ?? 0n;
  }
}

function refusal(requestedWei: bigint, presentWei: bigint): Error {
  const data = IBandwidthEscrow__factory.createInterface().encodeErrorResult("RequestTooLarge", [requestedWei, presentWei]);
  return makeError("execution reverted", "CALL_EXCEPTION", {
    action: "estimateGas",
    data,
    reason: null,
    transaction: { to: null, data: "0x" },
    invocation: null,
    revert: null,
  });
}

const withdraw = (escrow: BusyEscrow) => withdrawBandwidth({ escrow: escrow as unknown as ChainContracts["escrow"] }, PAYER, undefined, 10);

describe("taking a reserve back", () => {
  it("asks for what is left when payees are faster, block after block", async () => {
    const escrow = new BusyEscrow(1n, 2n, 3n);
    expect(await withdraw(escrow)).to.deep.equal({ reserveWei: 94n, bondWei: 5n, ripeAt: Number(RIPE_AT) });
    expect(escrow.requests).to.deep.equal([94n]);
  });

  it("gives up when they are so every time", async () => {
    const refused = await withdraw(new BusyEscrow(...Array<bigint>(40).fill(1n))).catch((error: unknown) => error);
    expect(String(refused)).to.include("execution reverted");
  });
});
