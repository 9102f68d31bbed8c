/** Brings the round that seeds the newest closed period to the chain, as early as it can. */
import { isPpioError } from "@ppio/core";
import { signatureForEvm } from "@ppio/core/drand";
import { hexlify } from "ethers";
import { withPending } from "../chain/pending.ts";
import type { OracleContext } from "../context.ts";
import { beaconSpreadMsOf } from "./spread.ts";

/** True when a round was sent. Rounds that came in another way, or too late to count, are left alone. */
export async function relayDueRound(context: OracleContext): Promise<boolean> {
  const { chain, drand, sender, turns, metrics, log } = context;
  const { proofs, beacon } = chain;
  const block = await chain.rpc.getBlock("latest");
  if (block === null) return false;
  const current = Number(await proofs.periodOf(block.timestamp));
  metrics.set("ppio_current_period", current);
  const period = current - 1;
  if (period < 1) return false;
  const round = await proofs.seedRound(period);
  if ((await beacon.timeOfRound(round)) > BigInt(block.timestamp)) return false;
  if (BigInt(await beacon.randomness(round)) !== 0n) {
    metrics.set("ppio_last_relayed_round", Number(round));
    return false;
  }
  if (!turns.isMine(`beacon/${round}`, await beaconSpreadMsOf(context)) || (await proofs.isVoid(period))) return false;
  const signature = await drand.signatureOf(Number(round));
  // As late as can be: another oracle's transaction may have come while the endpoints were asked.
  if (BigInt(await withPending((at) => beacon.randomness(round, at))) !== 0n) return false;
  const data = beacon.interface.encodeFunctionData("submit", [round, hexlify(signatureForEvm(signature))]);
  try {
    await sender.send(`beacon/${round}`, { to: chain.book.beacon, data });
  } catch (error) {
    // Looked at again in the next turn.
    if (!isPpioError(error, "CONFLICT")) throw error;
    return false;
  }
  metrics.add("ppio_beacons_relayed_total", 1);
  metrics.set("ppio_last_relayed_round", Number(round));
  log.info("beacon relayed", { period, round });
  return true;
}
