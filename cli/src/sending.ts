/** How commands send: beside other commands of the same wallet, and amounts that become less while they are on the way. */
import { explainRevert, isNonceTaken, type SendingRunner, withGasMargin } from "@ppio/core";
import { pause } from "@ppio/daemon/lifecycle";
import { type ContractTransactionReceipt, EventLog, isError, type Provider, type Signer } from "ethers";

/** Commands of one wallet that send at the same moment get their turns within so many tries. */
const SENDS_MAX = 12;
const TAKEN_PAUSE_MS = 500;
/** All that is there is asked for so often, when somebody was faster each time. */
const REQUESTS_MAX = 10;
const BLOCK_POLL_MS = 500;
/** Never aborted: these waits are short. */
const NEVER = new AbortController().signal;

/** A runner for contracts, and for plain transfers, with room in its gas limits; it sends again when another process took the nonce. */
export function sendingAs(signer: Signer, pauseMs = TAKEN_PAUSE_MS): SendingRunner {
  const runner = withGasMargin(signer);
  return {
    ...runner,
    async sendTransaction(request) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await runner.sendTransaction(request);
        } catch (error) {
          if (!isNonceTaken(error) || attempt >= SENDS_MAX) throw error;
          await pause(pauseMs, NEVER);
        }
      }
    },
  };
}

/**
 * Asks for all that is there, as `ask` reads it. Who makes it less just then does so in the coming block, and the next one tells by how much.
 * @param tooMuch the contract's error for what is no longer there
 */
export async function askForAll<T>(rpc: Provider | null | undefined, tooMuch: string, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const number = (await rpc?.getBlockNumber()) ?? 0;
    try {
      return await ask();
    } catch (error) {
      const isMined = isError(error, "CALL_EXCEPTION") && Boolean(error.receipt);
      const hasShrunk = isMined || explainRevert(error)?.details["contractError"] === tooMuch;
      if (!hasShrunk || attempt >= REQUESTS_MAX) throw error;
      while (rpc != null && (await rpc.getBlockNumber()) <= number) await pause(BLOCK_POLL_MS, NEVER);
    }
  }
}

/** What a withdrawal has paid out, by its own events: more may have come in since the amount was read. */
export function paidOutWei(receipt: ContractTransactionReceipt | null): bigint {
  const paid = (receipt?.logs ?? []).flatMap((entry) => (entry instanceof EventLog && /Withdrawn$/.test(entry.eventName) ? [entry] : []));
  return paid.reduce((sum, { args }) => sum + BigInt(args["amountWei"]), 0n);
}
