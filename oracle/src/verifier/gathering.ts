/**
 * What anyone may do for a committee and nobody must: draw it, score providers once the reports are there, settle its term, hand penalties
 * to the fund. Verifiers take turns; who comes second finds it done.
 */
import { isPpioError, measuredProviders } from "@ppio/core";
import { withPending } from "../chain/pending.ts";
import { readAll } from "../chain/read-all.ts";
import type { VerifierContext } from "./context.ts";
import { membershipOf, type TermView } from "./terms.ts";

/** Terms behind the newest settled one that are looked at: what nobody settled while all were down. */
const SETTLED_BACK_TERMS = 8;
const SPREAD_MS_MAX = 60_000;
const PERIOD_SHARE = 0.3;

/** What is known for good of terms whose reports are in. */
export interface GatheringState {
  /** Providers with a quorum and without a score when last looked at, of one term. */
  open: { readonly term: number; readonly providerIds: readonly number[] } | undefined;
  /** Terms in which nothing is left to settle. */
  readonly over: Set<number>;
}

export function createGatheringState(): GatheringState {
  return { open: undefined, over: new Set() };
}

async function spreadMsOf({ chain }: VerifierContext): Promise<number> {
  return Math.min(SPREAD_MS_MAX, Number(await chain.proofs.periodSeconds()) * 1000 * PERIOD_SHARE);
}

/** Draws the running term's committee. */
export async function draw(context: VerifierContext, view: TermView): Promise<boolean> {
  const { committee, turns } = context;
  const { term, members } = view;
  if (members.length > 0 || (await membershipOf(context, view)) === undefined) return false;
  if (!turns.isMine(`draw/${term}`, await spreadMsOf(context))) return false;
  if ((await withPending((at) => committee.termOf(term, at))).members.length > 0) return false;
  return send(context, `draw/${term}`, committee.interface.encodeFunctionData("drawCommittee", [term]));
}

/** Scores the next providers on which two thirds of the seats reported. */
export async function finalise(context: VerifierContext, state: GatheringState, view: TermView, current: number): Promise<boolean> {
  const { committee, turns, metrics } = context;
  const { term, members, finalisePeriod, settlePeriod } = view;
  if (members.length === 0 || current < finalisePeriod || current >= settlePeriod) return false;
  if (state.open?.term !== term) state.open = { term, providerIds: await quorate(context, view) };
  state.open = { term, providerIds: await unscored(context, term, state.open.providerIds) };
  const providerIds = state.open.providerIds.slice(0, Number(await committee.FINALISE_MAX()));
  const [first] = providerIds;
  if (first === undefined || !turns.isMine(`finalise/${term}/${first}`, await spreadMsOf(context))) return false;
  if (Number((await withPending((at) => committee.scoreOf(first, at))).term) === term) return false;
  const data = committee.interface.encodeFunctionData("finalise", [term, providerIds]);
  const isSent = await send(context, `finalise/${term}/${providerIds.join(",")}`, data);
  if (isSent) metrics.add("ppio_providers_scored_total", providerIds.length);
  return isSent;
}

/** Providers on which two thirds of the seats reported: no report comes in any more. */
async function quorate({ chain, committee }: VerifierContext, { term, members, openPeriod }: TermView): Promise<number[]> {
  const measured = measuredProviders(await chain.proofs.seedOf(openPeriod - 1), Number(await chain.registry.providerCount()));
  const counts = await readAll(measured, async (id) => (await committee.revealedScores(term, id)).length);
  return measured.filter((_, at) => (counts[at] ?? 0) * 3 >= members.length * 2);
}

async function unscored({ committee }: VerifierContext, term: number, ids: readonly number[]): Promise<number[]> {
  const terms = await readAll(ids, async (id) => Number((await committee.scoreOf(id)).term));
  return ids.filter((_, at) => terms[at] !== term);
}

/** Settles the oldest term that is due, and hands collected penalties to the repair fund. */
export async function settle(context: VerifierContext, state: GatheringState, currentTerm: number): Promise<boolean> {
  const { committee, turns } = context;
  for (let term = Math.max(1, currentTerm - SETTLED_BACK_TERMS); term <= currentTerm - 2; term += 1) {
    if (state.over.has(term)) continue;
    const record = await committee.termOf(term);
    if (record.members.length === 0 || record.settled) {
      // A reorganisation may still undo the newest one.
      if (term < currentTerm - 2) state.over.add(term);
      continue;
    }
    if (!turns.isMine(`settle/${term}`, await spreadMsOf(context))) continue;
    if ((await withPending((at) => committee.termOf(term, at))).settled) continue;
    return send(context, `settle/${term}`, committee.interface.encodeFunctionData("settle", [term]));
  }
  for (const term of state.over) if (term + SETTLED_BACK_TERMS < currentTerm) state.over.delete(term);
  const owedWei = await committee.owedToFundWei();
  if (owedWei === 0n || !turns.isMine(`forward/${owedWei}`, await spreadMsOf(context))) return false;
  if ((await withPending((at) => committee.owedToFundWei(at))) === 0n) return false;
  return send(context, `forward/${currentTerm}/${owedWei}`, committee.interface.encodeFunctionData("forwardSlashed"));
}

/** False when another one was faster, or the state moved on. */
async function send({ chain, sender, log }: VerifierContext, id: string, data: string): Promise<boolean> {
  try {
    const receipt = await sender.send(id, { to: chain.book.committee, data });
    log.info("done for the committee", { what: id, hash: receipt.hash });
    return true;
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.debug("not accepted by the committee", { what: id, error });
    return false;
  }
}
