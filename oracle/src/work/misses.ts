/**
 * Reports periods that a provider owed and nobody proved, in order. A report names one slot of the provider that was live in the
 * period; without one nothing was owed.
 */
import { isPpioError } from "@ppio/core";
import type { HeldSlot } from "../chain/slot-table.ts";
import type { OracleContext } from "../context.ts";

/** Periods that have been looked at, by provider: the next one to look at. */
export type MissCursor = Map<number, number>;

/** Reports at most one miss; true when it did, so that more urgent work gets its turn between two. */
export async function reportNextMiss(context: OracleContext, cursor: MissCursor): Promise<boolean> {
  const { chain, slots } = context;
  const newest = Number(await chain.proofs.currentPeriod()) - 2;
  for (const [providerId, held] of slots.byProvider()) {
    if ((cursor.get(providerId) ?? 0) > newest) continue;
    if (await reportFor(context, cursor, providerId, held, newest)) return true;
  }
  return false;
}

async function reportFor(
  context: OracleContext,
  cursor: MissCursor,
  providerId: number,
  held: readonly HeldSlot[],
  newest: number,
): Promise<boolean> {
  const { proofs, registry } = context.chain;
  if ((await registry.evictedAtPeriod(providerId)) !== 0n) {
    cursor.set(providerId, Number.MAX_SAFE_INTEGER);
    return false;
  }
  const { cursor: onChain } = await proofs.inventory(providerId);
  const oldest = newest + 1 - Number(await proofs.reportWindowPeriods());
  for (let period = Math.max(cursor.get(providerId) ?? 0, Number(onChain), oldest, 1); period <= newest; period += 1) {
    if (!(await proofs.isProven(providerId, period)) && !(await proofs.isVoid(period))) {
      const witness = await findWitness(context, held, period);
      if (witness !== undefined) {
        // In the blocks between opening the reports and the first one a halt of the chain can be shown.
        if (!(await areReportsOpen(context, period))) return false;
        await report(context, witness, period);
        cursor.set(providerId, period + 1);
        return true;
      }
    }
    cursor.set(providerId, period + 1);
  }
  return false;
}

/** Whether misses of `period` may be reported now; opens the reports of the running period when nobody has. */
async function areReportsOpen({ chain, sender, log }: OracleContext, period: number): Promise<boolean> {
  const open = await chain.proofs.reportsOpen();
  if (Number(open.period) >= period + 2) {
    const delayBlocks = await chain.proofs.reportDelayBlocks();
    return BigInt(await chain.rpc.getBlockNumber()) >= open.blockNumber + delayBlocks;
  }
  const current = await chain.proofs.currentPeriod();
  const data = chain.proofs.interface.encodeFunctionData("openReports");
  await sender.send(`open-reports/${current}`, { to: chain.book.proofs, data });
  log.debug("reports opened", { period: current });
  return false;
}

async function findWitness({ chain }: OracleContext, held: readonly HeldSlot[], period: number): Promise<HeldSlot | undefined> {
  for (const slot of held) {
    const { payGwei, fromPeriod, untilPeriod } = await chain.market.slotForProof(slot.dealId, slot.slotIndex, slot.providerId);
    if (payGwei !== 0n && Number(fromPeriod) <= period && period < Number(untilPeriod)) return slot;
  }
  return undefined;
}

async function report({ chain, sender, metrics, log }: OracleContext, witness: HeldSlot, period: number): Promise<void> {
  const { providerId, dealId, slotIndex } = witness;
  const data = chain.proofs.interface.encodeFunctionData("reportMiss", [providerId, period, dealId, slotIndex]);
  try {
    const receipt = await sender.send(`miss/${providerId}/${period}`, { to: chain.book.proofs, data });
    metrics.add("ppio_misses_reported_total", 1);
    log.info("miss reported", { providerId, period, hash: receipt.hash });
  } catch (error) {
    // Another oracle was faster, or the state moved on: the contract's word counts.
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.debug("a miss was not accepted", { providerId, period, error });
  }
}
