/**
 * Leaving whole: every slot that is held is handed over to another provider, which costs nothing and pays through the running period
 * (`IStorageMarket.handOver`). What nobody takes is kept and proven until its deal ends.
 */
import { GWEI, isPpioError, slotBytes } from "@ppio/core";
import type { ProviderContext } from "../context.ts";
import type { Interval, Inventory } from "../prover/inventory.ts";
import { isHeld, SLOT_FILLED } from "../slot-status.ts";
import { uploadIdOf } from "../store/slot-record.ts";
import type { ExitDesk } from "./exit-desk.ts";
import { type GivenTerms, SlotGiver } from "./give-slot.ts";
import { type Taker, Takers } from "./takers.ts";

/** Providers that are tried for a slot in one pass. */
const TRIES_MAX = 4;
/** How far ahead an offer may begin: room for a slow transaction. */
const START_WITHIN_PERIODS = 10;
/** A provider that did not take a slot is not asked for it again for so long. */
const REST_MS = 120_000;

export class SlotMover {
  readonly #context: ProviderContext;
  readonly #exit: ExitDesk;
  readonly #signal: AbortSignal;
  readonly #takers: Takers;
  readonly #giver: SlotGiver;
  /** Slot and provider, and until when it rests. */
  readonly #resting = new Map<string, number>();

  constructor(context: ProviderContext, exit: ExitDesk, signal: AbortSignal) {
    this.#context = context;
    this.#exit = exit;
    this.#signal = signal;
    this.#takers = new Takers(context);
    this.#giver = new SlotGiver(context, signal);
  }

  /** One pass over all slots; nothing while the provider stays. */
  async pass(inventory: Inventory): Promise<void> {
    if (!this.#exit.isUnderWay) return;
    await inventory.refresh();
    const current = Number(await this.#context.chain.proofs.currentPeriod());
    const held: Interval[] = [];
    for (const interval of inventory.all()) if (await inventory.isLive(interval, current + 1)) held.push(interval);
    let remaining = held.length;
    let problem: string | null = null;
    this.#exit.note(remaining, problem);
    for (const interval of held) {
      if (this.#signal.aborted || !this.#exit.isUnderWay) return;
      const failure = await this.#move(interval);
      if (failure === undefined) remaining -= 1;
      else problem = failure;
      this.#exit.note(remaining, problem);
    }
  }

  /** Why it is still here; undefined when it is not. */
  async #move({ dealId, slotIndex }: Interval): Promise<string | undefined> {
    const { chain, providerId, store, now } = this.#context;
    const uploadId = uploadIdOf(dealId, slotIndex);
    const found = store.find(uploadId);
    if (found === undefined) return `Slot ${slotIndex} of deal ${dealId} is not in the data folder.`;
    const [deal, slots] = await Promise.all([chain.market.deal(dealId), chain.market.slots(dealId)]);
    const slot = slots[slotIndex];
    if (slot === undefined || Number(slot.providerId) !== providerId || !isHeld(slot.status)) return undefined;
    if (slot.status !== SLOT_FILLED) return `Slot ${slotIndex} of deal ${dealId} is challenged; it can be moved once that is answered.`;
    const terms = async (): Promise<GivenTerms> => {
      const current = Number(await chain.proofs.currentPeriod());
      return {
        owner: deal.owner,
        payer: deal.payer,
        end: Number(deal.end),
        renewUntil: Number(deal.renewUntil),
        root: slot.root,
        payPerPeriodWei: slot.payGwei * GWEI,
        collateralWei: slot.collateralGwei * GWEI,
        startBy: Math.min(current + START_WITHIN_PERIODS, Number(deal.end) - 1),
      };
    };
    const { payPerPeriodWei, collateralWei } = await terms();
    const holders = new Set(slots.filter(({ status }) => isHeld(status)).map((other) => Number(other.providerId)));
    const fit = await this.#takers.find({ bytes: slotBytes(found.header), payWei: payPerPeriodWei, collateralWei });
    const candidates = fit.filter(
      (taker) => !holders.has(taker.providerId) && (this.#resting.get(`${uploadId}/${taker.providerId}`) ?? 0) <= now(),
    );
    let failure = `No other provider can take slot ${slotIndex} of deal ${dealId} now.`;
    for (const taker of candidates.slice(0, TRIES_MAX)) {
      try {
        await this.#handOver(uploadId, taker, terms);
        return undefined;
      } catch (error) {
        if (!isPpioError(error) || error.code === "CANCELLED" || error.code === "CHAIN_UNREACHABLE") throw error;
        // Ours, not the taker's: whoever finds damage gives the slot up.
        if (error.code === "CORRUPT" || error.code === "IO") return error.message;
        failure = error.message;
        this.#rest(uploadId, taker);
        this.#context.log.warn("a slot could not be handed over", { dealId, slotIndex, to: taker.providerId, error });
      }
    }
    return failure;
  }

  #rest(uploadId: string, { providerId }: Taker): void {
    const now = this.#context.now();
    for (const [key, until] of this.#resting) if (until <= now) this.#resting.delete(key);
    this.#resting.set(`${uploadId}/${providerId}`, now + REST_MS);
  }

  async #handOver(uploadId: string, taker: Taker, terms: () => Promise<GivenTerms>): Promise<void> {
    const { chain, store, sender, metrics, log } = this.#context;
    const found = store.find(uploadId);
    if (found === undefined) return;
    const { dealId, slotIndex, dealSalt } = found.meta;
    let agreed: GivenTerms | undefined;
    const offer = await this.#giver.give(found.meta, found.header, taker, async () => {
      agreed = await terms();
      return agreed;
    });
    if (agreed === undefined) return;
    const { startBy, end } = agreed;
    const args = [dealId, slotIndex, offer, { dealSalt, startBy, periods: end - startBy }] as const;
    const data = chain.market.interface.encodeFunctionData("handOver", [...args]);
    await sender.send(`hand-over/${dealId}/${slotIndex}/${taker.providerId}/${startBy}`, { to: chain.book.market, data });
    await this.#exit.countMoved();
    metrics.add("ppio_handed_over_slots_total", 1);
    log.info("slot handed over", { dealId, slotIndex, to: taker.providerId });
  }
}
