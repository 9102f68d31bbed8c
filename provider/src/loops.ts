/** What a provider does by itself, again and again. */
import { join } from "node:path";
import { type Lifecycle, repeat } from "@ppio/daemon";
import type { OfferDesk } from "./api/offers.ts";
import { ChallengeWatch } from "./challenges/challenge-watch.ts";
import type { ProviderContext } from "./context.ts";
import { declareDamaged } from "./damage/declare.ts";
import type { ExitDesk } from "./exit/exit-desk.ts";
import { SlotMover } from "./exit/move-slots.ts";
import { dropUnpaid, looksOf, settleSlots } from "./housekeeping.ts";
import { watchFunds } from "./policy/funds.ts";
import { compareWithLine, watchDisk, watchStanding } from "./policy/watch.ts";
import type { Inventory } from "./prover/inventory.ts";
import { type ProverState, proveDuePeriod } from "./prover/prover.ts";
import { runRepairs } from "./repair/start.ts";
import { collectGarbage } from "./small-heap.ts";
import { scrubOnce, scrubPositionFile } from "./store/scrubber.ts";

/** What follows the periods looks so many times in one, within bounds: an hour needs no look every second. */
interface Rhythm {
  readonly looksPerPeriod: number;
  readonly minMs: number;
  readonly maxMs: number;
}
const PROVE: Rhythm = { looksPerPeriod: 600, minMs: 1_000, maxMs: 6_000 };
const CHALLENGES: Rhythm = { looksPerPeriod: 200, minMs: 2_000, maxMs: 20_000 };
const HOUSEKEEPING: Rhythm = { looksPerPeriod: 60, minMs: 15_000, maxMs: 60_000 };
const DISK_INTERVAL_MS = 5_000;
/** Looks at a flag while the provider stays. */
const EXIT_INTERVAL_MS = 2_000;
const FUNDS_INTERVAL_MS = 60_000;
/** Between two scrubs; a scrub itself takes as long as its rate says. */
const SCRUB_INTERVAL_MS = 60_000;

export interface LoopOptions {
  readonly context: ProviderContext;
  readonly inventory: Inventory;
  readonly exit: ExitDesk;
  /** The provider's one desk. */
  readonly offers: OfferDesk;
  readonly periodMs: number;
  readonly lifecycle: Lifecycle;
}

function intervalOf({ looksPerPeriod, minMs, maxMs }: Rhythm, periodMs: number): number {
  return Math.min(maxMs, Math.max(minMs, Math.floor(periodMs / looksPerPeriod)));
}

export function startLoops({ context, inventory, exit, offers, periodMs, lifecycle }: LoopOptions): void {
  const { signal } = lifecycle;
  const { log, config } = context;
  const proving: ProverState = { keptAfter: 0 };
  const challenges = new ChallengeWatch(context);
  const mover = new SlotMover(context, exit, signal);
  const housekeepingMs = intervalOf(HOUSEKEEPING, periodMs);
  let isCompared = false;
  const works: Readonly<Record<string, readonly [intervalMs: number, work: () => Promise<void>]>> = {
    prove: [
      intervalOf(PROVE, periodMs),
      async () => {
        await proveDuePeriod(context, inventory, proving);
        await declareDamaged(context, proving.keptAfter);
      },
    ],
    challenges: [intervalOf(CHALLENGES, periodMs), () => challenges.look()],
    disk: [DISK_INTERVAL_MS, () => watchDisk(context)],
    housekeeping: [
      housekeepingMs,
      async () => {
        await inventory.refresh();
        if (!isCompared) {
          await compareWithLine(context, inventory);
          isCompared = true;
          // The folder and the line were read: the most that is ever read at once.
          await collectGarbage();
        }
        const looks = looksOf(context.store.count, housekeepingMs, periodMs);
        await settleSlots(context, inventory, looks);
        await dropUnpaid(context, looks);
      },
    ],
    exit: [EXIT_INTERVAL_MS, () => mover.pass(inventory)],
    funds: [
      FUNDS_INTERVAL_MS,
      async () => {
        await watchStanding(context);
        await watchFunds(context);
      },
    ],
    ...(config.scrubBytesPerSecond > 0 ? { scrub: [SCRUB_INTERVAL_MS, () => scrub(context, signal)] } : {}),
  };
  const loops = Object.entries(works).map(([name, [intervalMs, work]]) => repeat({ name, intervalMs, signal, log, work }));
  if (config.repair) loops.push(runRepairs({ context, offers, periodMs, signal }));
  lifecycle.onStop("loops", async () => void (await Promise.all(loops)));
}

async function scrub({ store, config, metrics, alerts, log }: ProviderContext, signal: AbortSignal): Promise<void> {
  try {
    const report = await scrubOnce({
      store,
      bytesPerSecond: config.scrubBytesPerSecond,
      position: scrubPositionFile(join(config.dataDir, "scrub.json")),
      signal,
      log,
      onBytes: (bytes) => metrics.add("ppio_scrubbed_bytes_total", bytes),
    });
    alerts.clear("disk-failing", "scrub");
    if (signal.aborted) return;
    metrics.add("ppio_scrubs_total", 1);
    metrics.add("ppio_mended_slots_total", report.mendedSlots);
    if (report.damagedCells > 0) log.error("the scrub found damaged cells", { ...report });
  } catch (error) {
    const message = `The scrub cannot read the disk: ${error instanceof Error ? error.message : String(error)}; look at the disk's health.`;
    alerts.raise({ kind: "disk-failing", subject: "scrub", message });
    throw error;
  }
}
