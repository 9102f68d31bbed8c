/**
 * Which provider serves which slot: the first n candidates get one each, and the others stand by. A provider that failed for good is
 * out; one that is late, or only was unreachable, is taken up again where it stopped when nobody else is left. The first one that holds
 * a slot and has signed for it wins it; the others are told to forget it.
 */
import { dealHeaderHash, isTransient, PpioError, type SlotOffer, slotBytes, type UploadTerms } from "@ppio/core";
import type { Context } from "../context.ts";
import { cancelled } from "../deps.ts";
import type { Candidate } from "../providers/fit.ts";
import { describeReasons, reasonOf } from "../providers/reasons.ts";
import type { AwakeClock } from "./awake-clock.ts";
import { createSlotUpload, type SlotUpload } from "./slot-upload.ts";

export interface Slot {
  /** Its place in an arena. */
  readonly at: number;
  readonly slotIndex: number;
  /** Who is at work on it. */
  readonly runners: Set<Runner>;
  /** Its runner lets us wait for the offer: a second one is wanted. */
  isStuck: boolean;
  /** Most that one of its providers had. */
  acknowledgedBytes: number;
  offer?: SlotOffer;
  winner?: Runner;
}

/** One provider at work on one slot. */
export interface Runner {
  readonly slot: Slot;
  readonly candidate: Candidate;
  readonly upload: SlotUpload;
  state: "opening" | "open" | "sending" | "sent" | "signing";
  /** When the step began that it is at, by the awake clock, the oldest of those it has; nothing while it waits for us. */
  sinceMs: number | undefined;
  /** Batches that it has taken, and how long that took it. */
  batchesDone: number;
  /** Batches that it was given and has not taken yet. */
  batchesDue: number;
  busyMs: number;
}

export interface Crew {
  readonly slots: readonly Slot[];
  /** All that are at work. */
  runners(): Runner[];
  /** Candidates that were not asked for anything yet. */
  readonly spares: number;
  /** Providers that have failed or were late. */
  readonly failed: ReadonlySet<number>;
  /** Puts the next candidate to work on a slot, with an upload that is not open. @throws NOT_ENOUGH_PROVIDERS */
  hire(slot: Slot): Runner;
  /** Stops one that is late; it may be needed again. */
  leave(runner: Runner): void;
  /** Stops one that has failed, unless it was stopped before. */
  giveUp(runner: Runner, error: unknown): void;
  /** Ends the race for a slot. */
  win(runner: Runner, offer: SlotOffer): void;
  /** Stops all that are at work. */
  stop(): void;
  /** Lets all providers forget what they were sent. */
  dropAll(): Promise<void>;
  notEnough(): PpioError;
}

/** One that was stopped and may be needed again. */
interface Stopped {
  readonly candidate: Candidate;
  /** That it was at work on; nothing once that one is won. */
  readonly slot: Slot | undefined;
  readonly upload: SlotUpload;
}

export interface CrewOptions {
  readonly terms: UploadTerms;
  readonly slotIndices: readonly number[];
  readonly candidates: readonly Candidate[];
  readonly awake: AwakeClock;
  /** Of a batch. */
  readonly stepBytes: number;
  /** Providers that were sent a part of a slot before, by the slot's index. */
  readonly begun?: ReadonlyMap<number, number>;
}

export function createCrew(context: Context, options: CrewOptions): Crew {
  const { terms, candidates, awake, stepBytes, begun = new Map<number, number>() } = options;
  const { log, limits, clock, chain, service } = context;
  const slots: Slot[] = options.slotIndices.map((slotIndex, at) => {
    return { at, slotIndex, runners: new Set(), isStuck: false, acknowledgedBytes: 0 };
  });
  const beginners = new Map(
    slots.flatMap((slot) =>
      candidates.filter(({ providerId }) => providerId === begun.get(slot.slotIndex)).map((one) => [slot, one] as const),
    ),
  );
  const spares = candidates.filter((candidate) => ![...beginners.values()].includes(candidate));
  const stopped: Stopped[] = [];
  const reasons = new Map<number, string>();
  const hiredAgain = new Set<number>();
  const controllers = new Map<Runner, AbortController>();

  const pick = (slot: Slot): { readonly candidate: Candidate; readonly isFresh: boolean } | undefined => {
    const beginner = beginners.get(slot);
    beginners.delete(slot);
    if (beginner !== undefined) return { candidate: beginner, isFresh: false };
    const spare = spares.shift();
    if (spare !== undefined) return { candidate: spare, isFresh: true };
    const own = stopped.findIndex((one) => one.slot === slot);
    const [again] = stopped.splice(Math.max(0, own), 1);
    if (again === undefined) return undefined;
    if (again.slot !== undefined && again.slot !== slot) void again.upload.drop();
    hiredAgain.add(again.candidate.providerId);
    return { candidate: again.candidate, isFresh: again.slot !== slot };
  };

  /** Whether it was at work until now. */
  const stop = (runner: Runner): boolean => {
    controllers.get(runner)?.abort(cancelled());
    controllers.delete(runner);
    return runner.slot.runners.delete(runner);
  };

  const forget = (runner: Runner): void => {
    const { slot, candidate } = runner;
    if (slot.winner === runner) {
      delete slot.offer;
      delete slot.winner;
    }
    if (!hiredAgain.has(candidate.providerId)) stopped.push({ candidate, slot, upload: runner.upload });
    else if (runner.state !== "opening") void runner.upload.drop();
  };

  const notEnough = (): PpioError =>
    new PpioError(
      "NOT_ENOUGH_PROVIDERS",
      `Not enough providers took their slots of ${slotBytes(terms.header)} bytes (${describeReasons(reasons)}); start more providers and store again.`,
      { details: { needed: slots.length, reasons: Object.fromEntries(reasons) } },
    );

  const runners = (): Runner[] => slots.flatMap((slot) => [...slot.runners]);

  return {
    slots,
    runners,
    get spares() {
      return spares.length;
    },
    get failed() {
      return new Set(reasons.keys());
    },
    hire(slot) {
      const picked = pick(slot);
      if (picked === undefined) throw notEnough();
      const { candidate, isFresh } = picked;
      const controller = new AbortController();
      const { owner, payer, dealSalt, header } = terms;
      const { slotIndex } = slot;
      const { providerId } = candidate;
      const expiry = Math.floor(clock.nowMs() / 1000) + limits.authoritySeconds;
      const upload = createSlotUpload({
        api: context.api(candidate.endpoint),
        domain: chain.domain,
        signer: chain.signer(),
        request: { providerId, owner, payer, dealSalt, slotIndex, k: header.k, n: header.n, headerHash: dealHeaderHash(header), expiry },
        header,
        stepBytes,
        isFresh,
        limits,
        clock,
        log,
        signal: controller.signal,
      });
      const runner: Runner = {
        slot,
        candidate,
        upload,
        state: "opening",
        sinceMs: awake.nowMs(),
        batchesDone: 0,
        batchesDue: 0,
        busyMs: 0,
      };
      controllers.set(runner, controller);
      slot.runners.add(runner);
      return runner;
    },
    leave(runner) {
      const { slot, candidate } = runner;
      if (!stop(runner)) return;
      log.warn("a provider is late; a spare begins its slot", { slotIndex: slot.slotIndex, providerId: candidate.providerId });
      reasons.set(candidate.providerId, "too slow");
      service.late(candidate.providerId);
      forget(runner);
    },
    giveUp(runner, error) {
      const { slot, candidate } = runner;
      if (!stop(runner)) return;
      const reason = reasonOf(error);
      const { providerId } = candidate;
      log.warn("a provider failed; its slot goes to another one", { slotIndex: slot.slotIndex, providerId, reason });
      reasons.set(providerId, reason);
      service.failed(providerId, error);
      if (!isTransient(error)) hiredAgain.add(providerId);
      forget(runner);
    },
    win(runner, offer) {
      const { slot } = runner;
      slot.offer = offer;
      slot.winner = runner;
      slot.isStuck = false;
      for (const other of [...slot.runners]) if (other !== runner && stop(other)) forget(other);
      for (const [at, { candidate, upload, slot: its }] of stopped.entries()) {
        if (its !== slot) continue;
        void upload.drop();
        // Another slot may need it yet.
        stopped[at] = { candidate, upload, slot: undefined };
      }
    },
    stop: () => runners().forEach(stop),
    dropAll: async () => {
      const uploads = [...runners(), ...stopped.filter(({ slot }) => slot !== undefined)].map(({ upload }) => upload);
      runners().forEach(stop);
      await Promise.all(uploads.map((upload) => upload.drop()));
    },
    notEnough,
  };
}
