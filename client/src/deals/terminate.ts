/** Ending deals that nothing needs any more; what they have not used goes back to the payer. */
import { PpioError } from "@ppio/core";
import type { Context } from "../context.ts";

const NONE = 0n;
const ACTIVE = 1n;

export interface TerminateOptions {
  /** Not waited for: its transaction is with the chain. */
  readonly isLetGo?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Ends a deal; nothing happens when it has ended already. @throws NOT_FOUND */
export async function terminateDeal(
  context: Context,
  dealId: string,
  { isLetGo = false, signal }: TerminateOptions = {},
): Promise<boolean> {
  const { chain } = context;
  const status = async (): Promise<bigint> => (await chain.read("deal", () => chain.market.deal(dealId), signal)).status;
  const before = await status();
  if (before === NONE) {
    throw new PpioError("NOT_FOUND", `There is no deal ${dealId} on this chain; check the id and the network.`, { details: { dealId } });
  }
  await context.dealBook.forget(dealId);
  if (before !== ACTIVE) return false;
  await chain.send({
    what: "ending a deal",
    submit: () => chain.market.terminate(dealId),
    isDone: async () => (await status()) !== ACTIVE,
    isLetGo,
    ...(signal === undefined ? {} : { signal }),
  });
  return true;
}

/** Ends several; a failure costs the refund only, and is logged. */
export async function terminateDeals(context: Context, dealIds: readonly string[], options: TerminateOptions = {}): Promise<void> {
  for (const dealId of new Set(dealIds)) {
    try {
      await terminateDeal(context, dealId, options);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      context.log.warn("a deal that is no longer needed was not ended; it runs to its end", { dealId, error: String(error) });
    }
  }
}
