/**
 * From rows to n signed offers: the first n candidates get a slot each, all slots are sent at once, and slots whose provider failed go
 * to spares in further passes over the same source. Fails only when fewer than n candidates work.
 */
import {
  checkOffer,
  dealHeaderHash,
  isTransient,
  type OfferDates,
  type OfferTerms,
  PpioError,
  type SlotOffer,
  SlotTreeBuilder,
  slotBytes,
  type UploadTerms,
} from "@ppio/core";
import { hexlify } from "ethers";
import type { Context } from "../context.ts";
import { mapConcurrent, throwIfAborted } from "../deps.ts";
import { describeReasons, reasonOf } from "../providers/reasons.ts";
import type { Candidate } from "../providers/select.ts";
import type { Fill } from "./batch.ts";
import { createSlotUpload, type SlotUpload } from "./slot-upload.ts";
import { spread } from "./spread.ts";

export interface StoreSlotsOptions {
  readonly terms: UploadTerms;
  /** Asked for when the slots are there. */
  readonly dates: () => Promise<OfferDates>;
  /** Slots to store, by their index in the deal: all n for a put, the lost ones for a repair. */
  readonly slotIndices: readonly number[];
  readonly candidates: readonly Candidate[];
  /** Fills one buffer per entry of `slotIndices`. */
  readonly fill: Fill;
  /** Room for plaintext that `fill` wants in an arena, per row. */
  readonly plainRowBytes?: number;
  /** Threads that fill. */
  readonly workers?: number;
  readonly bufferBytes: number;
  /** Roots that the slots must have; a put learns them on the way. */
  readonly expectedRoots?: readonly Uint8Array[];
  /** For a refill: pay that every offer must carry, by slot. */
  readonly fixedPayWei?: readonly bigint[];
  readonly onSent?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface StoredSlots {
  /** What all offers say. */
  readonly terms: OfferTerms;
  /** One per entry of `slotIndices`. */
  readonly offers: readonly SlotOffer[];
  readonly candidates: readonly Candidate[];
  readonly bytesInFlightMax: number;
  /** Passes over the source; more than one when providers failed. */
  readonly passes: number;
}

interface SlotJob {
  readonly at: number;
  readonly slotIndex: number;
  candidate?: Candidate;
  upload?: SlotUpload;
  sent: boolean;
  offer?: SlotOffer;
}

interface Run extends StoreSlotsOptions {
  readonly context: Context;
  readonly jobs: readonly SlotJob[];
  readonly spares: Candidate[];
  /** Candidates that were only unreachable; tried again when nobody else is left. */
  readonly unreachable: Candidate[];
  readonly reasons: Map<number, string>;
}

const OPENED_AT_ONCE = 16;

export async function storeSlots(context: Context, options: StoreSlotsOptions): Promise<StoredSlots> {
  const { header } = options.terms;
  const run: Run = {
    ...options,
    context,
    jobs: options.slotIndices.map((slotIndex, at) => ({ at, slotIndex, sent: false })),
    spares: [...options.candidates],
    unreachable: [],
    reasons: new Map(),
  };
  let roots = options.expectedRoots;
  let terms: OfferTerms | undefined;
  let bytesInFlightMax = 0;
  let passes = 0;
  try {
    while (run.jobs.some((job) => job.offer === undefined)) {
      if (passes >= context.limits.passesMax) throw notEnough(run);
      await assign(run);
      if (run.jobs.some((job) => !job.sent)) {
        passes += 1;
        const hashing = roots === undefined ? run.jobs.map(() => new SlotTreeBuilder(header)) : undefined;
        bytesInFlightMax = Math.max(bytesInFlightMax, await pass(run, hashing));
        if (hashing !== undefined) roots = finishTrees(hashing);
      }
      if (roots === undefined || !run.jobs.every((job) => job.sent)) continue;
      const dates = await options.dates();
      // Offers of one deal have the same dates, and a pass may have taken longer than those before it hold.
      if (dates.startBy !== terms?.startBy) for (const job of run.jobs) delete job.offer;
      terms = { ...options.terms, ...dates };
      await collectOffers(run, terms, roots);
    }
  } catch (error) {
    await Promise.all(run.jobs.map((job) => job.upload?.drop()));
    throw error;
  }
  if (terms === undefined) throw new PpioError("INTERNAL", "A deal has at least one slot.");
  return {
    terms,
    offers: run.jobs.flatMap((job) => (job.offer === undefined ? [] : [job.offer])),
    candidates: run.jobs.flatMap((job) => (job.candidate === undefined ? [] : [job.candidate])),
    bytesInFlightMax,
    passes,
  };
}

/** The slots' roots; nothing when the pass ended early because all its providers failed. */
function finishTrees(trees: readonly SlotTreeBuilder[]): readonly Uint8Array[] | undefined {
  try {
    return trees.map((tree) => tree.finish().root);
  } catch (error) {
    if (error instanceof PpioError && error.code === "TRUNCATED") return undefined;
    throw error;
  }
}

/** Gives every slot without an upload the next candidate that accepts it. */
async function assign(run: Run): Promise<void> {
  const open = run.jobs.filter((job) => job.upload === undefined);
  await mapConcurrent(open, OPENED_AT_ONCE, async (job) => {
    for (let candidate = nextCandidate(run); candidate !== undefined; candidate = nextCandidate(run)) {
      job.candidate = candidate;
      const upload = uploadTo(run, job, candidate);
      try {
        await upload.open();
        job.upload = upload;
        return;
      } catch (error) {
        giveUp(run, job, error);
      }
    }
    throw notEnough(run);
  });
}

function nextCandidate(run: Run): Candidate | undefined {
  return run.spares.shift() ?? run.unreachable.shift();
}

function uploadTo(run: Run, job: SlotJob, candidate: Candidate): SlotUpload {
  const { context, terms, signal } = run;
  const { chain, clock, log, limits } = context;
  const { owner, payer, dealSalt, header } = terms;
  const request = {
    providerId: candidate.providerId,
    owner,
    payer,
    dealSalt,
    slotIndex: job.slotIndex,
    k: header.k,
    n: header.n,
    headerHash: dealHeaderHash(header),
    expiry: Math.floor(clock.nowMs() / 1000) + limits.authoritySeconds,
  };
  return createSlotUpload({
    api: context.api(candidate.endpoint),
    domain: chain.domain,
    signer: chain.signer(),
    request,
    header,
    limits,
    clock,
    log,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Notes why a slot's provider is out and makes the slot look for another one. */
function giveUp(run: Run, job: SlotJob, error: unknown): void {
  throwIfAborted(run.signal);
  const { candidate } = job;
  if (candidate === undefined) return;
  const reason = reasonOf(error);
  run.context.log.warn("a provider failed; its slot goes to another one", {
    slotIndex: job.slotIndex,
    providerId: candidate.providerId,
    reason,
  });
  if (isTransient(error) && !run.reasons.has(candidate.providerId)) run.unreachable.push(candidate);
  run.reasons.set(candidate.providerId, reason);
  delete job.upload;
  delete job.candidate;
  job.sent = false;
}

async function pass(run: Run, hashing: readonly SlotTreeBuilder[] | undefined): Promise<number> {
  const { header } = run.terms;
  const lanes = new Map(run.jobs.flatMap((job) => (job.sent || job.upload === undefined ? [] : [[job.at, job.upload] as const])));
  const { failed, bytesInFlightMax } = await spread({
    header,
    slotCount: run.jobs.length,
    bufferBytes: run.bufferBytes,
    requestBytesMax: run.context.limits.requestBytesMax,
    plainRowBytes: run.plainRowBytes ?? 0,
    workers: run.workers ?? 0,
    fill: run.fill,
    onFilled: (roots) => {
      for (const [at, tree] of hashing?.entries() ?? []) tree.pushRoots(roots[at] ?? new Uint8Array());
    },
    lanes,
    ...(run.onSent === undefined ? {} : { onSent: run.onSent }),
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  });
  for (const job of run.jobs) {
    if (!lanes.has(job.at)) continue;
    if (failed.has(job.at)) giveUp(run, job, failed.get(job.at));
    else job.sent = true;
  }
  return bytesInFlightMax;
}

async function collectOffers(run: Run, terms: OfferTerms, roots: readonly Uint8Array[]): Promise<void> {
  const { context } = run;
  await Promise.all(
    run.jobs.map(async (job) => {
      const root = roots[job.at];
      if (job.offer !== undefined || job.upload === undefined || job.candidate === undefined || root === undefined) return;
      const fixedPayWei = run.fixedPayWei?.[job.at];
      const { startBy, periods, renewUntil } = terms;
      try {
        const body = await job.upload.finish({
          root: hexlify(root),
          startBy,
          periods,
          renewUntil,
          ...(fixedPayWei === undefined ? {} : { payPerPeriodWei: fixedPayWei.toString() }),
        });
        const nowSeconds = Math.floor(context.clock.nowMs() / 1000);
        const { slotIndex, candidate } = job;
        const asked = fixedPayWei === undefined ? candidate : { ...candidate, payPerPeriodWei: fixedPayWei };
        job.offer = checkOffer({ domain: context.chain.domain, terms, slotIndex, root, candidate: asked, body, nowSeconds });
      } catch (error) {
        giveUp(run, job, error);
      }
    }),
  );
}

function notEnough(run: Run): PpioError {
  return new PpioError(
    "NOT_ENOUGH_PROVIDERS",
    `Not enough providers took their slots of ${slotBytes(run.terms.header)} bytes (${describeReasons(run.reasons)}); start more providers and store again.`,
    { details: { needed: run.jobs.length, reasons: Object.fromEntries(run.reasons) } },
  );
}
