/**
 * What the chain's proofs say about a deal, checked again here: the draws are derived anew from the beacon, and every sample that hit
 * one of the deal's slots is verified against the slot's root. Nothing is taken from the contract's word but the randomness and
 * the roots. docs/protocol/challenge.md.
 */
import { type ChallengeContext, challengeLeaf, challengePoint, LEAF_BYTES, NODE_BYTES, verifyLeafProof } from "@ppio/core";
import { getBytes } from "ethers";
import { loadDeal, type SlotStatus, type SlotView } from "../chain/deal-view.ts";
import type { Context } from "../context.ts";
import { mapConcurrent } from "../deps.ts";
import { type Interval, type LineAt, loadLine } from "./line.ts";
import { loadProofCall, type ProofCall, provenPeriods } from "./proof-calls.ts";

export type PeriodState = "proven" | "missed" | "void" | "open";

export interface SlotVerification {
  readonly slotIndex: number;
  readonly providerId: number;
  readonly status: SlotStatus;
  /** Periods looked at, [from, to). */
  readonly from: number;
  readonly to: number;
  readonly proven: number;
  readonly missed: number;
  readonly void: number;
  /** Samples that fell on this slot, all of them verified here. */
  readonly samplesVerified: number;
  /** Chance that a loss of the whole slot at `from` would still be unseen. */
  readonly lossUnseenProbability: number;
  /** Proofs that the contract accepted and this check does not; empty on an honest chain. */
  readonly problems: readonly string[];
  /** Newest period last. */
  readonly periods: readonly { readonly period: number; readonly state: PeriodState }[];
}

export interface DealVerification {
  readonly dealId: string;
  readonly currentPeriod: number;
  readonly slots: readonly SlotVerification[];
  /** Slots whose provider proved its whole inventory in the newest closed period that is not void. */
  readonly healthySlots: number;
  readonly k: number;
  readonly n: number;
}

export interface VerifyOptions {
  readonly dealId: string;
  /** Only this many newest periods. */
  readonly periodsMax?: number;
  readonly signal?: AbortSignal;
}

const PERIODS_MAX_DEFAULT = 100;
const SLOTS_AT_ONCE = 4;
/** The contract's bound on draws. */
const DRAWS_MAX = 256;

export async function verifyDeal(context: Context, options: VerifyOptions): Promise<DealVerification> {
  const { chain } = context;
  const { signal } = options;
  const deal = await loadDeal(chain, options.dealId, signal);
  const currentPeriod = Number(await chain.read("current period", () => chain.proofs.currentPeriod(), signal));
  const samplesPerProof = Number(await chain.read("samples per proof", () => chain.proofs.samplesPerProof(), signal));
  const periodsMax = options.periodsMax ?? PERIODS_MAX_DEFAULT;
  const stateOf = createPeriodStates(context, currentPeriod, signal);
  const slots = await mapConcurrent(deal.slots, SLOTS_AT_ONCE, async (slot) => {
    const to = Math.max(slot.fromPeriod, Math.min(currentPeriod, slot.liveUntil));
    const from = Math.max(slot.fromPeriod, to - periodsMax);
    return verifySlot(context, { dealId: deal.dealId, slot, from, to, samplesPerProof, stateOf }, signal);
  });
  const isHealthy = ({ status, periods }: SlotVerification): boolean =>
    status === "Filled" && periods.findLast(({ state }) => state === "proven" || state === "missed")?.state !== "missed";
  return { dealId: deal.dealId, currentPeriod, slots, healthySlots: slots.filter(isHealthy).length, k: deal.k, n: deal.n };
}

type StateOf = (period: number, isProven: boolean) => Promise<PeriodState>;

function createPeriodStates(context: Context, currentPeriod: number, signal: AbortSignal | undefined): StateOf {
  const { proofs } = context.chain;
  const voids = new Map<number, Promise<boolean>>();
  const isVoid = (period: number): Promise<boolean> => {
    const known = voids.get(period) ?? context.chain.read("void period", () => proofs.isVoid(period), signal);
    voids.set(period, known);
    return known;
  };
  return async (period, isProven) => {
    if (await isVoid(period)) return "void";
    if (isProven) return "proven";
    return period + 1 >= currentPeriod ? "open" : "missed";
  };
}

interface SlotTask {
  readonly dealId: string;
  readonly slot: SlotView;
  readonly from: number;
  readonly to: number;
  readonly samplesPerProof: number;
  readonly stateOf: StateOf;
}

async function verifySlot(context: Context, task: SlotTask, signal: AbortSignal | undefined): Promise<SlotVerification> {
  const { chain } = context;
  const { slot, from, to, dealId } = task;
  const { providerId } = slot.provider;
  const [proven, line] = await Promise.all([provenPeriods(chain, providerId, signal), loadLine(chain, providerId, signal)]);
  const periods: { period: number; state: PeriodState }[] = [];
  const problems: string[] = [];
  let samplesVerified = 0;
  let unseen = 1;
  for (let period = from; period < to; period += 1) {
    const transactionHash = proven.get(period);
    const state = await task.stateOf(period, transactionHash !== undefined);
    periods.push({ period, state });
    if (state !== "proven" || transactionHash === undefined) continue;
    const lineThen = line.atCloseOf(period);
    const interval = lineThen.intervalOf(dealId, slot.slotIndex);
    if (interval === undefined) {
      problems.push(`period ${period}: the slot is not on its provider's line`);
      continue;
    }
    const call = await loadProofCall(chain, providerId, period, transactionHash, signal);
    const checked = await checkProof(context, task, lineThen, interval, period, call, signal);
    samplesVerified += checked.verified;
    problems.push(...checked.problems);
    // Holes only make the true chance smaller: draws that hit them are repeated.
    const share = Number(interval.endGwei - interval.startGwei) / Number(lineThen.lengthGwei);
    unseen *= (1 - share) ** task.samplesPerProof;
  }
  const count = (wanted: PeriodState): number => periods.filter(({ state }) => state === wanted).length;
  return {
    slotIndex: slot.slotIndex,
    providerId,
    status: slot.status,
    from,
    to,
    proven: count("proven"),
    missed: count("missed"),
    void: count("void"),
    samplesVerified,
    lossUnseenProbability: unseen,
    problems,
    periods,
  };
}

/** Derives every draw of a proof anew and verifies those that fell on the slot. */
async function checkProof(
  context: Context,
  task: SlotTask,
  line: LineAt,
  interval: Interval,
  period: number,
  call: ProofCall,
  signal: AbortSignal | undefined,
): Promise<{ readonly verified: number; readonly problems: readonly string[] }> {
  const { chain } = context;
  const { slot, dealId } = task;
  const { providerId } = slot.provider;
  if (call.samples === undefined) return { verified: 0, problems: [] };
  const seed = await chain.read("seed", () => chain.proofs.seedOf(period), signal);
  const challenge = { seed, providerId, period };
  const problems: string[] = [];
  let verified = 0;
  let draw = -1;
  for (const sample of call.samples) {
    const drawn = nextDraw(challenge, line, draw + 1);
    if (drawn === undefined) return { verified, problems: [...problems, `period ${period}: more samples than draws`] };
    draw = drawn.draw;
    const isHit = interval.startGwei <= drawn.point && drawn.point < interval.endGwei;
    const isNamed = sample.dealId === dealId && sample.slotIndex === slot.slotIndex;
    if (isHit !== isNamed) problems.push(`period ${period}, draw ${draw}: the proof names another slot than the one that was drawn`);
    else if (isHit && checkLeaf(slot, challengeLeaf(challenge, draw, slot.leafCount), sample.proof)) verified += 1;
    else if (isHit) problems.push(`period ${period}, draw ${draw}: the leaf does not belong to the slot's root`);
  }
  return { verified, problems };
}

/** The first draw from `first` on that names a slot. */
function nextDraw(challenge: ChallengeContext, { lengthGwei, gap }: LineAt, first: number): { draw: number; point: bigint } | undefined {
  for (let draw = first; draw < DRAWS_MAX; draw += 1) {
    const point = challengePoint(challenge, draw, lengthGwei);
    if (point < gap.startGwei || point >= gap.endGwei) return { draw, point };
  }
  return undefined;
}

function checkLeaf(slot: SlotView, leafIndex: number, proof: string): boolean {
  const bytes = getBytes(proof);
  if (bytes.length < LEAF_BYTES || (bytes.length - LEAF_BYTES) % NODE_BYTES !== 0) return false;
  const siblings: Uint8Array[] = [];
  for (let at = LEAF_BYTES; at < bytes.length; at += NODE_BYTES) siblings.push(bytes.subarray(at, at + NODE_BYTES));
  const { root, leafCount } = slot;
  return verifyLeafProof({ root, leafCount }, leafIndex, { leaf: bytes.subarray(0, LEAF_BYTES), siblings });
}
