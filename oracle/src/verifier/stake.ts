/** Joining: the stake is put down once, by a verifier that is on no list. One that left, or was made to, comes back by its owner's wish. */
import { PpioError } from "@ppio/core";
import { MaxUint256 } from "ethers";
import type { VerifierContext } from "./context.ts";

/** Statuses of IVerifierCommittee. */
const NONE = 0n;
const ACTIVE = 1n;
const SLASHED = 3n;

/** @throws CONFIG for a slashed verifier, NO_FUNDS */
export async function ensureJoined(context: VerifierContext, stakeWei: bigint): Promise<void> {
  const { chain, committee, sender, address, log } = context;
  const { status } = await committee.verifierOf(address);
  if (status === SLASHED) throw new PpioError("CONFIG", `${address} was slashed and can never verify again; use another key.`);
  if (status === ACTIVE) return;
  if (status !== NONE) {
    log.warn("this verifier is leaving: it serves out its seats; join again by topping its stake up", { address });
    return;
  }
  const term = await committee.currentTerm();
  const { minStakeWei } = await committee.paramsAt(term);
  const amountWei = stakeWei > minStakeWei ? stakeWei : minStakeWei;
  const heldWei = await chain.token.balanceOf(address);
  if (heldWei < amountWei) {
    throw new PpioError("NO_FUNDS", `${address} holds ${heldWei} wei of tokens and the stake is ${amountWei}; send it tokens first.`);
  }
  if ((await chain.token.allowance(address, chain.book.committee)) < amountWei) {
    const data = chain.token.interface.encodeFunctionData("approve", [chain.book.committee, MaxUint256]);
    await sender.send(`approve/${term}/${amountWei}`, { to: chain.book.token, data });
  }
  const receipt = await sender.send(`join/${term}/${amountWei}`, {
    to: chain.book.committee,
    data: committee.interface.encodeFunctionData("join", [amountWei]),
  });
  log.info("joined the verifiers", { address, stakeWei: amountWei, hash: receipt.hash });
}
