/** Sending a settlement: what the chain does not take now is looked at again. */
import { isPpioError } from "@ppio/core";
import type { OracleContext } from "../context.ts";

export const SLOTS_PER_CALL_MAX = 32;

export interface Settled {
  readonly dealId: string;
  /** 0 when nobody held them. */
  readonly providerId: number;
  readonly slots: readonly number[];
}

export async function sendSettlement(
  { chain, sender, metrics, log }: OracleContext,
  id: string,
  data: string,
  settled: Settled,
): Promise<void> {
  try {
    await sender.send(id, { to: chain.book.market, data });
    metrics.add("ppio_slots_settled_total", settled.slots.length);
    log.info("slots settled", { ...settled });
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.debug("a settlement was not accepted", { ...settled, error });
  }
}
