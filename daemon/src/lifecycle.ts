/** The one way to run and to stop a process: a signal aborts, closers run in reverse order, a second signal or a deadline forces. */
import { ERROR_CODES, toPpioError } from "@ppio/core";
import type { Logger } from "./log.ts";
import { onStopSignals } from "./stop-signals.ts";

const STOP_DEADLINE_MS = 15_000;
const SAME_FAILURE_MS = 60_000;

export interface Lifecycle {
  /** Aborted when the process shall stop. */
  readonly signal: AbortSignal;
  /** Runs at the end, last registered first. */
  onStop(name: string, close: () => Promise<void> | void): void;
}

/** Runs `start`, then waits for SIGINT, SIGTERM or SIGHUP, then closes. Sets the exit status; never throws. */
export async function runUntilStopped(log: Logger, start: (lifecycle: Lifecycle) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const closers: { name: string; close: () => Promise<void> | void }[] = [];
  let wake = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    wake = resolve;
  });
  onStopSignals({
    onFirst: (reason) => {
      log.info("stopping", { reason });
      controller.abort(reason);
      wake();
    },
    onAgain: () => process.exit(ERROR_CODES.CANCELLED.exit),
  });
  process.on("unhandledRejection", (error) => log.error("unhandled rejection", { error }));

  try {
    await start({ signal: controller.signal, onStop: (name, close) => closers.push({ name, close }) });
    await stopped;
  } catch (error) {
    const failure = toPpioError(error);
    if (!controller.signal.aborted) {
      log.error(failure.message, { code: failure.code, details: failure.details });
      process.exitCode = ERROR_CODES[failure.code].exit;
      controller.abort(failure);
    }
  }
  setTimeout(() => {
    log.error("stopping took too long");
    process.exit(ERROR_CODES.TIMEOUT.exit);
  }, STOP_DEADLINE_MS).unref();
  for (const { name, close } of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      log.error("could not close cleanly", { name, error });
    }
  }
  log.info("stopped");
}

/**
 * Repeats `work` every `intervalMs` until the signal is aborted; a failure is logged and does not end the loop. Loops of one process keep
 * step, so that what they ask the chain goes out together. Resolves once the last run has ended.
 */
export async function repeat(options: {
  readonly name: string;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly work: () => Promise<void>;
  /** Milliseconds until something is due that shall not wait for the next step; nothing when nothing is. */
  readonly dueInMs?: () => number | undefined;
}): Promise<void> {
  const { name, intervalMs, signal, log, work, dueInMs } = options;
  let told = { message: "", at: 0 };
  while (!signal.aborted) {
    try {
      await work();
      told = { message: "", at: 0 };
    } catch (cause) {
      const error = toPpioError(cause);
      // An outage of an hour is one line a minute.
      const isNews = error.message !== told.message || Date.now() - told.at >= SAME_FAILURE_MS;
      if (isNews && !signal.aborted) {
        log.warn("a round of work failed; it will be tried again", { work: name, error });
        told = { message: error.message, at: Date.now() };
      }
    }
    const stepMs = untilNextStep(intervalMs, performance.now());
    await pause(Math.min(stepMs, Math.max(0, dueInMs?.() ?? stepMs)), signal);
  }
}

/** To the next multiple of the interval since the process began; to the one after when that is less than half of one away. */
function untilNextStep(intervalMs: number, nowMs: number): number {
  if (intervalMs <= 0) return 0;
  const restMs = intervalMs - (nowMs % intervalMs);
  return restMs < intervalMs / 2 ? restMs + intervalMs : restMs;
}

/** Resolves after `ms`, or at once when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
