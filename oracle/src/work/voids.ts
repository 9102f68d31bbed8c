/**
 * Marks periods void whose beacon did not come in time. They are void without it, but every settlement, report and service penalty looks
 * at the beacon for each of them until they leave the report window; a mark is read instead, 256 periods to a word.
 */
import { isPpioError } from "@ppio/core";
import type { OracleContext } from "../context.ts";
import { spreadMsOf } from "./spread.ts";

/** Periods that are known not to be void for want of a beacon: their seeds came in time, which never changes. */
export type SeededPeriods = Set<number>;

/** Void periods that wait for their turn at once; the others come after them. */
const WAITING_MAX = 16;

/** Marks at most one period; true when it did. */
export async function markNextVoid(context: OracleContext, seeded: SeededPeriods): Promise<boolean> {
  const { chain, slots, voids, turns } = context;
  // Where nothing is stored nobody asks for it.
  if (slots.byProvider().size === 0) return false;
  const current = Number(await chain.proofs.currentPeriod());
  const oldest = Math.max(1, current - Number(await chain.proofs.reportWindowPeriods()));
  for (const period of seeded) if (period < oldest) seeded.delete(period);
  let waiting = 0;
  for (let period = oldest; period < current && waiting < WAITING_MAX; period += 1) {
    if (seeded.has(period) || voids.isMarked(period)) continue;
    if (!(await chain.proofs.isVoid(period))) {
      if (await chain.beacon.isOnTime(await chain.proofs.seedRound(period))) seeded.add(period);
      continue;
    }
    if (!turns.isMine(`void/${period}`, await spreadMsOf(context))) {
      waiting += 1;
      continue;
    }
    await mark(context, period);
    return true;
  }
  return false;
}

async function mark({ chain, sender, metrics, log }: OracleContext, period: number): Promise<void> {
  const data = chain.proofs.interface.encodeFunctionData("voidPeriod", [period]);
  try {
    await sender.send(`void/${period}`, { to: chain.book.proofs, data });
    metrics.add("ppio_periods_voided_total", 1);
    log.info("period voided: its beacon did not come in time", { period });
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.debug("a void period was not marked", { period, error });
  }
}
