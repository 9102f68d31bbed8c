/**
 * Decides which deals are repaired, and when: vacancies come from the chain, a deal is left alone while it is healthy enough, every provider
 * waits for its turn, and nothing is begun that does not pay. Repairs run beside each other, each deal with a wait of its own after a
 * failure, so that one that cannot be repaired keeps no other waiting.
 */
import { isPpioError, PpioError } from "@ppio/core";
import { askChain } from "../ask-chain.ts";
import type { RepairContext } from "./context.ts";
import { type DealSlot, loadRepairable, type RepairableDeal } from "./deal.ts";
import type { Plans, RepairPlan } from "./plans.ts";
import { expectedGainWei, expectedSeconds, liveSlotsWanted } from "./policy.ts";
import { carryOut, planRepair, reservePlanned } from "./repair-deal.ts";
import { approveBonds, bondFor, hasRunOut } from "./reservations.ts";
import { turnDelayMs } from "./turn.ts";
import type { Vacancies } from "./vacancies.ts";

const REPAIRS_AT_ONCE = 2;
/** Deals whose state is asked for in a round. */
const LOOKS_PER_ROUND = 20;
const BACKOFF_MS = 5_000;
const BACKOFF_MS_MAX = 3_600_000;
/** A reservation of another one, or a premium that must grow: looked at again after this share of a period. */
const LOOK_AGAIN_SHARE = 0.5;

/** A prime that spreads neighbouring providers over the deals. */
const PLACE_STEP = 7_919;

interface Watch {
  /** Unix milliseconds. */
  nextAt: number;
  failures: number;
  turnTaken: boolean;
  /** Of the newest vacancy that it was looked at for. */
  seenBlock: number;
  /** Something else than that another one was first kept a repair from its end: no vacancy shortens the wait. */
  hasFailed: boolean;
}

export class Repairer {
  readonly #context: RepairContext;
  readonly #vacancies: Vacancies;
  readonly #plans: Plans;
  /** Of a process before, or of a chain that did not answer at the end. */
  readonly #unfinished: Map<string, RepairPlan>;
  readonly #watched = new Map<string, Watch>();
  readonly #running = new Map<string, Promise<void>>();
  #hasApproved = false;
  /** Unix milliseconds at which it began. */
  #lastRoundAt = 0;
  /** Hash of the block of the last look that came to its end. */
  #seenBlock: string | undefined;

  constructor(context: RepairContext, vacancies: Vacancies, plans: Plans, unfinished: readonly RepairPlan[]) {
    this.#context = context;
    this.#vacancies = vacancies;
    this.#plans = plans;
    this.#unfinished = new Map(unfinished.map((plan) => [plan.dealId, plan]));
  }

  /** Looks at what is due, and begins what may begin; repairs go on beside it. @throws CHAIN_UNREACHABLE */
  async round(signal: AbortSignal): Promise<void> {
    const { chain, metrics, providerId, now } = this.#context;
    this.#lastRoundAt = now();
    for (const plan of this.#unfinished.values()) {
      if (this.#isFree(plan.dealId) && this.#isDue(plan.dealId)) this.#start(plan.dealId, () => this.#resume(plan, signal));
    }
    const block = await askChain(() => chain.rpc.getBlock("latest"));
    // Nothing is new in a block that was looked at.
    if (typeof block?.hash !== "string" || block.hash !== this.#seenBlock) {
      if ((await askChain(() => chain.registry.evictedAtPeriod(providerId))) !== 0n) return;
      if (!this.#hasApproved) await approveBonds(this.#context);
      this.#hasApproved = true;
      await this.#vacancies.refresh();
      this.#seenBlock = block?.hash ?? undefined;
    }
    const deals = this.#vacancies.deals();
    metrics.set("ppio_vacant_deals", deals.length);
    const open = new Set(deals);
    for (const dealId of deals) this.#notice(dealId);
    const isKnown = (dealId: string): boolean => open.has(dealId) || this.#running.has(dealId) || this.#unfinished.has(dealId);
    for (const dealId of this.#watched.keys()) if (!isKnown(dealId)) this.#watched.delete(dealId);
    const due = deals.filter((dealId) => this.#isFree(dealId) && this.#isDue(dealId));
    // After a great loss, each provider begins at another place.
    const first = due.length === 0 ? 0 : (providerId * PLACE_STEP) % due.length;
    for (const dealId of [...due.slice(first), ...due.slice(0, first)].slice(0, LOOKS_PER_ROUND)) {
      try {
        await this.#look(dealId, signal);
      } catch (error) {
        if (isPpioError(error, "CHAIN_UNREACHABLE")) throw error;
        this.#backOff(dealId, error);
      }
    }
  }

  /** Resolves when nothing runs any more; for after the signal. */
  async close(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  #isFree(dealId: string): boolean {
    return this.#running.size < REPAIRS_AT_ONCE && !this.#running.has(dealId);
  }

  #isDue(dealId: string): boolean {
    return (this.#watched.get(dealId)?.nextAt ?? 0) <= this.#context.now();
  }

  #watch(dealId: string): Watch {
    const known = this.#watched.get(dealId);
    if (known !== undefined) return known;
    const fresh = { nextAt: 0, failures: 0, turnTaken: false, seenBlock: 0, hasFailed: false };
    this.#watched.set(dealId, fresh);
    return fresh;
  }

  /** Another slot became vacant: the deal does not rest any longer because of what was seen before. */
  #notice(dealId: string): void {
    const watch = this.#watch(dealId);
    const block = this.#vacancies.newestBlock(dealId);
    if (block <= watch.seenBlock) return;
    watch.seenBlock = block;
    if (!watch.turnTaken && !watch.hasFailed) watch.nextAt = 0;
  }

  /** Milliseconds until the turn of some deal has come; nothing when none comes after the last round. */
  turnInMs(): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const [dealId, { turnTaken, nextAt }] of this.#watched) {
      if (turnTaken && nextAt > this.#lastRoundAt && this.#isFree(dealId)) next = Math.min(next, nextAt);
    }
    return next === Number.POSITIVE_INFINITY ? undefined : Math.max(0, next - this.#context.now());
  }

  async #look(dealId: string, signal: AbortSignal): Promise<void> {
    const { chain, config, now, providerId } = this.#context;
    const watch = this.#watch(dealId);
    const [deal, current, periodSeconds] = await Promise.all([
      loadRepairable(chain, dealId),
      askChain(() => chain.proofs.currentPeriod()).then(Number),
      askChain(() => chain.proofs.periodSeconds()).then(Number),
    ]);
    const again = now() + periodSeconds * 1000 * LOOK_AGAIN_SHARE;
    const isOver = !deal.isActive || !deal.isSound || current + 1 >= deal.end;
    const unheld = deal.slots.filter(({ state }) => state === "vacant" || state === "reserved");
    if (isOver || unheld.length === 0) {
      this.#vacancies.forget(dealId);
      watch.nextAt = again;
      watch.turnTaken = false;
      return;
    }
    const held = deal.slots.filter(({ state }) => state === "held").length;
    const vacant = await this.#takeable(deal, unheld);
    const [first] = vacant;
    if (held >= liveSlotsWanted(deal.header, config.repairBelow) || first === undefined || held < deal.header.k) {
      watch.nextAt = again;
      watch.turnTaken = false;
      return;
    }
    if (!watch.turnTaken) {
      const providers = Number(await askChain(() => chain.registry.providerCount()));
      const turn = { dealId, slotIndex: first.slotIndex, providerId, period: current };
      watch.turnTaken = true;
      watch.nextAt = now() + turnDelayMs(turn, providers, periodSeconds);
      return;
    }
    watch.nextAt = again;
    this.#start(dealId, () => this.#repair(deal, vacant, current, signal));
  }

  /** Slots that can be reserved now. */
  async #takeable(deal: RepairableDeal, unheld: readonly DealSlot[]): Promise<DealSlot[]> {
    const nowSeconds = Math.floor(this.#context.now() / 1000);
    const isTakeable = await Promise.all(
      unheld.map(
        async ({ state, slotIndex }) => state === "vacant" || (await hasRunOut(this.#context, deal.dealId, slotIndex, nowSeconds)),
      ),
    );
    return unheld.filter((_, at) => isTakeable[at]);
  }

  /** Beside everything else; never throws. */
  #start(dealId: string, work: () => Promise<boolean>): void {
    const { metrics } = this.#context;
    const run = this.#guarded(dealId, work).finally(() => {
      this.#running.delete(dealId);
      metrics.set("ppio_repairs_running", this.#running.size);
    });
    this.#running.set(dealId, run);
    metrics.set("ppio_repairs_running", this.#running.size);
  }

  /** @param work true when it repaired something */
  async #guarded(dealId: string, work: () => Promise<boolean>): Promise<void> {
    const watch = this.#watch(dealId);
    watch.turnTaken = false;
    try {
      const hasRepaired = await work();
      watch.failures = 0;
      watch.hasFailed = false;
      if (!hasRepaired) return;
      // What became vacant meanwhile and nobody has taken yet is gone on with: its turns have passed.
      watch.turnTaken = true;
      watch.nextAt = 0;
    } catch (error) {
      this.#backOff(dealId, error);
    }
  }

  /** This deal waits, longer each time, and no other. */
  #backOff(dealId: string, error: unknown): void {
    const { log, now } = this.#context;
    const watch = this.#watch(dealId);
    // Slots that are no code of each other never will be.
    const isHopeless = isPpioError(error, "CORRUPT") || isPpioError(error, "BAD_FORMAT");
    const pauseMs = isHopeless ? BACKOFF_MS_MAX : Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** watch.failures);
    watch.failures += 1;
    watch.nextAt = now() + pauseMs;
    watch.hasFailed = !isPpioError(error, "CHAIN_REVERT");
    // That another one was first is how turns are decided.
    if (isPpioError(error, "CHAIN_REVERT")) log.debug("a repair was refused by the chain", { dealId, error });
    else if (!isPpioError(error, "CANCELLED")) log.warn("a repair failed; it is tried again later", { dealId, pauseMs, error });
  }

  async #repair(deal: RepairableDeal, vacant: readonly DealSlot[], period: number, signal: AbortSignal): Promise<boolean> {
    const plan = await planRepair(this.#context, deal, vacant, period, signal);
    if (plan === undefined || !(await this.#pays(deal, plan, period))) return false;
    await this.#reserve(plan, deal);
    return this.#finish(plan, signal);
  }

  /** What is not known to be reserved is sent again under the same name: it may have been under way when the process before ended. */
  async #resume(plan: RepairPlan, signal: AbortSignal): Promise<boolean> {
    const deal = await loadRepairable(this.#context.chain, plan.dealId);
    const isVacant = plan.slots.every(({ slotIndex }) => deal.slots[slotIndex]?.state === "vacant");
    if (deal.isActive && isVacant) await this.#reserve(plan, deal);
    return this.#finish(plan, signal);
  }

  async #reserve(plan: RepairPlan, deal: RepairableDeal): Promise<void> {
    const { dealId, slots } = plan;
    try {
      await reservePlanned(this.#context, this.#plans, plan, deal);
    } catch (error) {
      if (await this.#plans.has(dealId)) this.#unfinished.set(dealId, plan);
      else this.#unfinished.delete(dealId);
      throw error;
    }
    this.#context.log.info("a deal's vacant slots are reserved for repair", { dealId, slots });
  }

  /** Sees a reserved plan through. False when nothing of it was reserved any more. */
  async #finish(plan: RepairPlan, signal: AbortSignal): Promise<boolean> {
    const { metrics, log } = this.#context;
    const { dealId } = plan;
    this.#unfinished.set(dealId, plan);
    let isWhole = false;
    try {
      const { filled, reserved } = await carryOut(this.#context, this.#plans, plan, signal);
      this.#unfinished.delete(dealId);
      isWhole = filled === reserved;
      log.info("a repair has ended", { dealId, filled, reserved });
      if (!isWhole) throw new PpioError("REFUSED", `${reserved - filled} of ${reserved} slots of the deal could not be filled.`);
      return filled > 0;
    } catch (error) {
      // Still on the disk when it could not be given back: then it is gone on with.
      if (!(await this.#plans.has(dealId))) this.#unfinished.delete(dealId);
      throw error;
    } finally {
      if (!isWhole && !signal.aborted) metrics.add("ppio_repairs_given_up_total", 1);
    }
  }

  async #pays(deal: RepairableDeal, plan: RepairPlan, current: number): Promise<boolean> {
    const { chain, config, providerId } = this.#context;
    const slots = plan.slots.flatMap(({ slotIndex }) => deal.slots[slotIndex] ?? []);
    const premiumOf = ({ collateralWei, vacantFrom }: DealSlot): Promise<bigint> =>
      askChain(() => chain.policy.premium(collateralWei, Math.max(0, current - vacantFrom)));
    const [premiums, fundWei, bondWei, reservationSeconds] = await Promise.all([
      Promise.all(slots.map(premiumOf)),
      askChain(() => chain.market.repairFundWei()),
      bondFor(this.#context, slots),
      askChain(() => chain.repair.reservationSeconds()).then(Number),
    ]);
    const premiumWei = premiums.reduce((sum, wei) => sum + wei, 0n);
    const kept = plan.slots.find((slot) => slot.providerId === providerId);
    const ownPay = kept === undefined ? 0n : (deal.slots[kept.slotIndex]?.payPerPeriodWei ?? 0n);
    const gain = expectedGainWei({
      premiumWei: premiumWei < fundWei ? premiumWei : fundWei,
      bondWei,
      reservationSeconds,
      expectedSeconds: expectedSeconds(deal.header, slots.length, config.repairBytesPerSecond),
      ownPayWei: ownPay * BigInt(Math.max(0, deal.end - current - 1)),
    });
    return gain >= config.repairMinGainWei;
  }
}
