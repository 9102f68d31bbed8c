/**
 * From rows to n signed offers: the first n candidates get a slot each and all slots are sent at once. A slot whose provider fails or
 * falls behind goes to a spare, from the first byte on, beside those that are still sent. Fails only when fewer than n candidates work.
 */
import { type OfferDates, type OfferTerms, PpioError, type SlotOffer, SlotTreeBuilder, slotBytes, type UploadTerms } from "@ppio/core";
import type { Context } from "../context.ts";
import { NOT_NEEDED, throwIfAborted } from "../deps.ts";
import type { Candidate } from "../providers/fit.ts";
import { type ArenaPool, type BatchPlan, createArenaPool, planBatches } from "./arena.ts";
import { type AwakeClock, createAwakeClock } from "./awake-clock.ts";
import type { Fill } from "./batch.ts";
import { type Crew, createCrew, type Runner } from "./crew.ts";
import { replaceLate } from "./late.ts";
import { createNegotiation, type Negotiation, negotiate } from "./negotiate.ts";
import { createPace, type Pace } from "./pace.ts";
import { type Lane, spread } from "./spread.ts";

export interface StoreSlotsOptions {
  readonly terms: UploadTerms;
  /** Asked for when the slots are there. */
  readonly dates: () => Promise<OfferDates>;
  /** Slots to store, by their index in the deal: all n for a put, the lost ones for a repair. */
  readonly slotIndices: readonly number[];
  readonly candidates: readonly Candidate[];
  /** Providers that an interrupted put has sent a part of a slot to, by the slot's index. */
  readonly begun?: ReadonlyMap<number, number>;
  /** Told who serves which slot before anything is sent to them. */
  readonly onHired?: (providers: ReadonlyMap<number, number>) => Promise<void>;
  /** Whether uploads are kept for a later attempt when this one fails. */
  readonly isKept?: (error: unknown) => boolean;
  /** Fills one buffer per entry of `slotIndices`. */
  readonly fill: Fill;
  /** Threads that fill. */
  readonly workers?: number;
  readonly bufferBytes: number;
  /** Roots that the slots must have; a put learns them on the way. */
  readonly expectedRoots?: readonly Uint8Array[];
  /** For a refill: pay that every offer must carry, by slot. */
  readonly fixedPayWei?: readonly bigint[];
  /** Every row was filled for the first time: the roots are known, and the last rows are on their way. */
  readonly onRooted?: () => void;
  /** Told of bytes that a slot has for the first time. */
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
  /** Passes over the source; more than one when providers failed or were late. */
  readonly passes: number;
  /** Slot bytes that providers had before this attempt. */
  readonly resumedBytes: number;
  /** Providers that have failed or were late. */
  readonly failed: ReadonlySet<number>;
}

interface Run {
  readonly context: Context;
  readonly options: StoreSlotsOptions;
  /** Ticks with every look for late providers. */
  readonly awake: AwakeClock;
  readonly crew: Crew;
  readonly negotiation: Negotiation;
  /** Of a batch at a provider. */
  readonly pace: Pace;
  readonly plan: BatchPlan;
  /** Batches of a slot. */
  readonly stepsTotal: number;
  readonly pool: ArenaPool;
  readonly passesNow: Set<Promise<void>>;
  passes: number;
  resumedBytes: number;
  /** A pass is under way that learns the roots. */
  isHashing: boolean;
  failure: { readonly error: unknown } | undefined;
  /** Something has happened. */
  wake: () => void;
}

/** Providers that are asked for a place at the same time. */
const OPENED_AT_ONCE = 16;
/** The one that most slots are in, and one that catches up. */
const PASSES_AT_ONCE = 2;
/** How often late providers are looked for, in the time after which one is late. */
const LOOKS_PER_LATE = 4;

export async function storeSlots(context: Context, options: StoreSlotsOptions): Promise<StoredSlots> {
  const run = createRun(context, options);
  const { crew, negotiation } = run;
  const { signal } = options;
  const onAbort = (): void => run.wake();
  signal?.addEventListener("abort", onAbort, { once: true });
  const looking = new AbortController();
  try {
    void lookForLate(run, looking.signal);
    while (crew.slots.some(({ offer }) => offer === undefined)) await step(run);
  } catch (error) {
    if (options.isKept?.(error) === true) crew.stop();
    else await crew.dropAll();
    throwIfAborted(signal);
    throw error;
  } finally {
    looking.abort(NOT_NEEDED);
    signal?.removeEventListener("abort", onAbort);
    await Promise.all(run.passesNow);
    void context.service.settle();
  }
  if (negotiation.terms === undefined) throw new PpioError("INTERNAL", "A deal has at least one slot.");
  return {
    terms: negotiation.terms,
    offers: crew.slots.flatMap(({ offer }) => (offer === undefined ? [] : [offer])),
    candidates: crew.slots.flatMap(({ winner }) => (winner === undefined ? [] : [winner.candidate])),
    bytesInFlightMax: run.pool.bytesInFlightMax,
    passes: run.passes,
    resumedBytes: run.resumedBytes,
    failed: crew.failed,
  };
}

function createRun(context: Context, options: StoreSlotsOptions): Run {
  const { terms, slotIndices, workers = 0, bufferBytes } = options;
  const { header } = terms;
  const slotCount = slotIndices.length;
  const rowBytes = slotCount * header.cellBytes;
  const plan = planBatches(header, rowBytes, bufferBytes, context.limits.requestBytesMax, workers);
  const bytesPerSlot = Math.min(plan.rowsPerBatch * header.cellBytes, slotBytes(header));
  const shape = { slotCount, bytesPerSlot, isShared: workers > 0 };
  const awake = createAwakeClock(context.clock, context.limits.lateMs / LOOKS_PER_LATE);
  const crew = createCrew(context, { ...options, awake, stepBytes: plan.rowsPerBatch * header.cellBytes });
  const run: Run = {
    context,
    options,
    awake,
    crew,
    negotiation: createNegotiation({
      context,
      awake,
      crew,
      terms,
      dates: options.dates,
      fixedPayWei: options.fixedPayWei,
      roots: options.expectedRoots,
      onChange: () => run.wake(),
      onFailure: (error) => fail(run, error),
    }),
    pace: createPace(),
    plan,
    stepsTotal: Math.ceil(header.rows / plan.rowsPerBatch),
    pool: createArenaPool(shape, plan.arenas),
    passesNow: new Set(),
    passes: 0,
    resumedBytes: 0,
    isHashing: false,
    failure: undefined,
    wake: () => {},
  };
  return run;
}

function fail(run: Run, error: unknown): void {
  run.failure ??= { error };
  run.wake();
}

/** Does what can be done now, and waits until something has happened. */
async function step(run: Run): Promise<void> {
  const changed = new Promise<void>((resolve) => {
    run.wake = resolve;
  });
  throwIfAborted(run.options.signal);
  if (run.failure !== undefined) throw run.failure.error;
  replaceLate({ ...run, clock: run.awake, lateMs: run.context.limits.lateMs, signingPace: run.negotiation.pace });
  hire(run);
  await startPass(run);
  negotiate(run.negotiation);
  await changed;
}

async function lookForLate(run: Run, signal: AbortSignal): Promise<void> {
  const { clock, limits } = run.context;
  while (!signal.aborted) {
    await clock.sleep(limits.lateMs / LOOKS_PER_LATE, signal).catch(() => undefined);
    run.awake.tick();
    run.wake();
  }
}

/** Gives every slot that nobody serves, or only one who is stuck, the next candidate. */
function hire(run: Run): void {
  const { crew } = run;
  let opening = crew.runners().filter(({ state }) => state === "opening").length;
  for (const slot of crew.slots) {
    if (opening >= OPENED_AT_ONCE) return;
    if (slot.offer !== undefined || slot.runners.size > (slot.isStuck && crew.spares > 0 ? 1 : 0)) continue;
    const runner = crew.hire(slot);
    opening += 1;
    runner.upload
      .open()
      .then(
        () => {
          runner.state = "open";
          runner.sinceMs = undefined;
          acknowledge(run, runner, runner.upload.receivedBytes, true);
        },
        (error: unknown) => crew.giveUp(runner, error),
      )
      .finally(() => run.wake());
  }
}

/** Counts bytes that a slot has for the first time. */
function acknowledge(run: Run, { slot }: Runner, bytes: number, isResumed: boolean): void {
  const more = bytes - slot.acknowledgedBytes;
  if (more <= 0) return;
  slot.acknowledgedBytes = bytes;
  if (isResumed) run.resumedBytes += more;
  run.options.onSent?.(more);
}

/** Begins a pass with all providers that have a place and no bytes yet; or with none, when only the roots are missing. */
async function startPass(run: Run): Promise<void> {
  const { crew, context, options, passesNow, negotiation } = run;
  const runners = crew.runners();
  if (passesNow.size >= PASSES_AT_ONCE || runners.some(({ state }) => state === "opening")) return;
  const ready = runners.filter(({ state }) => state === "open");
  const needsRoots = negotiation.roots === undefined && !run.isHashing;
  if (ready.length === 0 && !(needsRoots && passesNow.size === 0)) return;
  if (run.passes >= context.limits.passesMax) throw crew.notEnough();
  if (ready.length > 0) {
    const serving = crew.runners().map(({ slot, candidate }) => [slot.slotIndex, candidate.providerId] as const);
    await options.onHired?.(new Map(serving));
  }
  run.passes += 1;
  if (needsRoots) run.isHashing = true;
  const ended = pass(run, ready, needsRoots)
    .catch((error: unknown) => fail(run, error))
    .finally(() => {
      passesNow.delete(ended);
      run.wake();
    });
  passesNow.add(ended);
}

async function pass(run: Run, runners: readonly Runner[], needsRoots: boolean): Promise<void> {
  const { options, plan, pool, negotiation, passesNow } = run;
  const { header } = options.terms;
  const trees = needsRoots ? options.slotIndices.map(() => new SlotTreeBuilder(header)) : undefined;
  let rows = 0;
  // One that catches up leaves most of the memory to the others.
  const isFirst = passesNow.size === 0;
  try {
    await spread({
      header,
      rowsPerBatch: plan.rowsPerBatch,
      pool,
      arenasMax: () => (isFirst || passesNow.size === 1 ? plan.arenas : 1),
      fill: options.fill,
      onFilled: (roots) => {
        for (const [at, tree] of trees?.entries() ?? []) tree.pushRoots(roots[at] ?? new Uint8Array());
        rows = Math.min(header.rows, rows + plan.rowsPerBatch);
        if (rows === header.rows && trees !== undefined) options.onRooted?.();
      },
      lanes: runners.map((runner) => laneOf(run, runner)),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    // A pass whose providers have all failed has ended early.
    if (rows === header.rows) negotiation.roots ??= trees?.map((tree) => tree.finish().root);
  } finally {
    if (needsRoots) run.isHashing = false;
  }
}

function laneOf(run: Run, runner: Runner): Lane {
  const { pace, crew, context, awake } = run;
  const { upload, slot, candidate } = runner;
  runner.state = "sending";
  return {
    at: slot.at,
    async put(offset, bytes) {
      const isNew = upload.receivedBytes < offset + bytes.length;
      if (runner.batchesDue === 0) runner.sinceMs = awake.nowMs();
      runner.batchesDue += 1;
      await upload.put(offset, bytes);
      const nowMs = awake.nowMs();
      const tookMs = nowMs - (runner.sinceMs ?? nowMs);
      runner.batchesDue -= 1;
      runner.batchesDone += 1;
      runner.sinceMs = runner.batchesDue > 0 ? nowMs : undefined;
      acknowledge(run, runner, offset + bytes.length, false);
      if (!isNew) return;
      runner.busyMs += tookMs;
      pace.note(tookMs);
      context.service.sent(candidate.providerId, bytes.length, tookMs);
    },
    done() {
      runner.state = "sent";
      run.wake();
    },
    failed(error) {
      crew.giveUp(runner, error);
      run.wake();
    },
  };
}
