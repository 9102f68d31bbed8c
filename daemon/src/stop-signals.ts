/** The signals that end a process: the first one asks, a later one insists. */

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** A terminal signals a whole group, and launchers in it pass their own on: what comes so soon is the same wish. */
const SAME_WISH_MS = 200;

export type StopSignal = (typeof STOP_SIGNALS)[number];

export interface StopHandlers {
  readonly onFirst: (signal: StopSignal) => void;
  readonly onAgain: (signal: StopSignal) => void;
}

/** Listens until the function it gives back is called. */
export function onStopSignals({ onFirst, onAgain }: StopHandlers): () => void {
  let firstAt: number | undefined;
  const listen = (signal: StopSignal): void => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      onFirst(signal);
    } else if (now - firstAt > SAME_WISH_MS) onAgain(signal);
  };
  for (const name of STOP_SIGNALS) process.on(name, listen);
  return () => {
    for (const name of STOP_SIGNALS) process.removeListener(name, listen);
  };
}
