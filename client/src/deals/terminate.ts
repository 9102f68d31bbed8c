/** Ending deals that nothing needs any more; what they have not used goes back to the payer. */
import type { Context } from "../context.ts";

const ACTIVE = 1n;

/** Ends a deal; nothing happens when it has ended already. */
export async function terminateDeal(context: Context, dealId: string, signal?: AbortSignal): Promise<boolean> {
  const { chain } = context;
  const isActive = async (): Promise<boolean> => (await chain.read("deal", () => chain.market.deal(dealId), signal)).status === ACTIVE;
  if (!(await isActive())) return false;
  await chain.send({
    what: "ending a deal",
    submit: () => chain.market.terminate(dealId),
    isDone: async () => !(await isActive()),
    ...(signal === undefined ? {} : { signal }),
  });
  return true;
}

/** Ends several; a failure costs the refund only, and is logged. */
export async function terminateDeals(context: Context, dealIds: readonly string[], signal?: AbortSignal): Promise<void> {
  for (const dealId of new Set(dealIds)) {
    try {
      await terminateDeal(context, dealId, signal);
    } catch (error) {
      if (signal?.aborted) throw error;
      context.log.warn("a deal that is no longer needed was not ended; it runs to its end", { dealId, error: String(error) });
    }
  }
}
