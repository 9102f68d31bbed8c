/**
 * Reports periods that a provider owed and nobody proved, in order. A report names one slot of the provider that was live in the
 * period; without one nothing was owed. Before the first miss of a period is reported, a halt of the chain is looked for.
 */
import { isPpioError } from "@ppio/core";
import { withPending } from "../chain/pending.ts";
import type { HeldSlot } from "../chain/slot-table.ts";
import type { OracleContext } from "../context.ts";
import { findHalt, type Halt, showHalt } from "./halts.ts";
import { missSpreadMsOf } from "./spread.ts";

/** What was concluded so far; forgotten after a reorganisation. */
export interface MissState {
  /** By provider, the next period to look at. */
  readonly cursor: Map<number, number>;
  /** Halts by period; nothing for a period without one. */
  readonly halts: Map<number, Halt | undefined>;
}

export function createMissState(): MissState {
  return { cursor: new Map(), halts: new Map() };
}

export function forgetMisses(state: MissState): void {
  state.cursor.clear();
  state.halts.clear();
}

/** Providers that are looked at beside each other. */
const LOOKED_AT_AT_ONCE = 16;

/** Sends at most one transaction; true when it did, so that more urgent work gets its turn between two. */
export async function reportNextMiss(context: OracleContext, state: MissState): Promise<boolean> {
  const { chain, slots } = context;
  const newest = Number(await chain.proofs.currentPeriod()) - 2;
  const window = Number(await chain.proofs.reportWindowPeriods());
  for (const period of state.halts.keys()) if (period + window < newest) state.halts.delete(period);
  const unsure = [...slots.byProvider()].filter(([providerId]) => (state.cursor.get(providerId) ?? 0) <= newest);
  for (let at = 0; at < unsure.length; at += LOOKED_AT_AT_ONCE) {
    const providers = unsure
      .slice(at, at + LOOKED_AT_AT_ONCE)
      .map(([providerId, held]) => ({ providerId, held, newest, oldest: newest + 1 - window }));
    const misses = await Promise.all(providers.map((provider) => findMiss(context, state, provider)));
    for (const miss of misses) if (miss !== undefined && (await workFor(context, state, miss))) return true;
  }
  return false;
}

interface Provider {
  readonly providerId: number;
  readonly held: readonly HeldSlot[];
  /** Periods that may be reported. */
  readonly oldest: number;
  readonly newest: number;
}

interface Miss {
  readonly providerId: number;
  readonly current: number;
  readonly period: number;
  readonly witness: HeldSlot;
}

async function workFor(context: OracleContext, state: MissState, { providerId, current, period, witness }: Miss): Promise<boolean> {
  const { chain, turns } = context;
  const spreadMs = await missSpreadMsOf(context);
  const halt = await haltOf(context, state, period);
  if (halt !== undefined) {
    // Void for the others too: one period is in nobody's way while its halt is shown.
    if (!turns.isMine(`void-halted/${period}`, spreadMs)) return false;
    await showHalt(context, period, halt);
    return true;
  }
  // One's turn comes while the reports are still to be opened, so that the two waits do not add up.
  const isMine = turns.isMine(`miss/${providerId}/${period}`, spreadMs);
  const opened = await chain.proofs.reportsOpen();
  if (Number(opened.period) < period + 2) {
    // Whoever is the first to report has no reason to wait for who is the first to open.
    if (!turns.isMine(`open-reports/${current}`, spreadMs) && !isMine) return false;
    return openReports(context, period);
  }
  // In the blocks between opening the reports and the first one a halt of the chain can be shown.
  const isOver = BigInt(await chain.rpc.getBlockNumber()) >= opened.blockNumber + (await chain.proofs.reportDelayBlocks());
  if (!isOver || !isMine) return false;
  const { cursor: next } = await withPending((at) => chain.proofs.inventory(providerId, at));
  // Another one's report is on its way.
  if (Number(next) > period || !(await report(context, witness, period))) return false;
  state.cursor.set(providerId, period + 1);
  return true;
}

/** The oldest period that is owed, neither proven nor void, and not recorded; moves the cursor past those that are settled. */
async function findMiss(
  { chain }: OracleContext,
  { cursor }: MissState,
  { providerId, held, oldest, newest }: Provider,
): Promise<Miss | undefined> {
  if ((await chain.registry.evictedAtPeriod(providerId)) !== 0n) {
    cursor.set(providerId, Number.MAX_SAFE_INTEGER);
    return undefined;
  }
  const { cursor: onChain } = await chain.proofs.inventory(providerId);
  for (let period = Math.max(cursor.get(providerId) ?? 0, Number(onChain), oldest, 1); period <= newest; period += 1) {
    if (!(await chain.proofs.isProven(providerId, period)) && !(await chain.proofs.isVoid(period))) {
      const witness = await findWitness(chain, held, period);
      if (witness !== undefined) return { providerId, current: newest + 2, period, witness };
    }
    cursor.set(providerId, period + 1);
  }
  return undefined;
}

async function haltOf({ chain }: OracleContext, { halts }: MissState, period: number): Promise<Halt | undefined> {
  if (!halts.has(period)) halts.set(period, await findHalt(chain, period));
  return halts.get(period);
}

async function findWitness(chain: OracleContext["chain"], held: readonly HeldSlot[], period: number): Promise<HeldSlot | undefined> {
  for (const slot of held) {
    const { payGwei, fromPeriod, untilPeriod } = await chain.market.slotForProof(slot.dealId, slot.slotIndex, slot.providerId);
    if (payGwei !== 0n && Number(fromPeriod) <= period && period < Number(untilPeriod)) return slot;
  }
  return undefined;
}

async function openReports({ chain, sender, log }: OracleContext, period: number): Promise<boolean> {
  if (Number((await withPending((at) => chain.proofs.reportsOpen(at))).period) >= period + 2) return false;
  const current = await chain.proofs.currentPeriod();
  const data = chain.proofs.interface.encodeFunctionData("openReports");
  await sender.send(`open-reports/${current}`, { to: chain.book.proofs, data });
  log.debug("reports opened", { period: current });
  return true;
}

/** False when the contract refuses: another oracle was faster, or the state moved on. What is so then is read from the chain. */
async function report({ chain, sender, metrics, log }: OracleContext, witness: HeldSlot, period: number): Promise<boolean> {
  const { providerId, dealId, slotIndex } = witness;
  const data = chain.proofs.interface.encodeFunctionData("reportMiss", [providerId, period, dealId, slotIndex]);
  try {
    const receipt = await sender.send(`miss/${providerId}/${period}`, { to: chain.book.proofs, data });
    metrics.add("ppio_misses_reported_total", 1);
    log.info("miss reported", { providerId, period, hash: receipt.hash });
    return true;
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.debug("a miss was not accepted", { providerId, period, error });
    return false;
  }
}
