/** Closes slots that nobody held when their deal ended: the payer gets back what they would have cost, and the deal is complete. */
import type { BlockTag } from "ethers";
import { withPending } from "../chain/pending.ts";
import type { OracleContext } from "../context.ts";
import type { RunningTenures } from "./settle.ts";
import { SLOTS_PER_CALL_MAX, sendSettlement } from "./settlement.ts";
import { spreadMsOf } from "./spread.ts";

/** Slot states of IStorageMarket. */
const VACANT = 2n;
const RESERVED = 5n;

/** Closes the vacant slots of at most one deal that is over; true when it did. */
export async function closeNextDeal(context: OracleContext, running: RunningTenures): Promise<boolean> {
  const { chain, slots, turns } = context;
  const current = Number(await chain.proofs.currentPeriod());
  const spreadMs = await spreadMsOf(context);
  for (const [dealId, indices] of slots.vacancies()) {
    const key = `vacant/${dealId}`;
    if (running.period === current && running.keys.has(key)) continue;
    if (current < Number((await chain.market.deal(dealId)).end)) {
      running.keys.add(key);
      continue;
    }
    const open = await openSlots(context, dealId, indices, "latest");
    if (open.length === 0) {
      slots.forgetVacancies(dealId);
      continue;
    }
    if (!turns.isMine(`close/${dealId}`, spreadMs)) continue;
    // Another one is at it.
    if ((await withPending(({ blockTag }) => openSlots(context, dealId, open, blockTag))).length === 0) continue;
    const closed = open.slice(0, SLOTS_PER_CALL_MAX);
    const data = chain.market.interface.encodeFunctionData("settle", [dealId, closed]);
    await sendSettlement(context, `close/${dealId}/${closed.join(",")}`, data, { dealId, providerId: 0, slots: closed });
    return true;
  }
  return false;
}

async function openSlots({ chain }: OracleContext, dealId: string, indices: readonly number[], blockTag: BlockTag): Promise<number[]> {
  const slots = await Promise.all(indices.map((slotIndex) => chain.market.slot(dealId, slotIndex, { blockTag })));
  return indices.filter((_, at) => slots[at]?.status === VACANT || slots[at]?.status === RESERVED);
}
