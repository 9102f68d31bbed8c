/** What a provider does by itself, again and again. */
import { join } from "node:path";
import { type Lifecycle, repeat } from "@ppio/daemon";
import type { OfferDesk } from "./api/offers.ts";
import { ChallengeWatch } from "./challenges/challenge-watch.ts";
import type { ProviderContext } from "./context.ts";
import { declareDamaged } from "./damage/declare.ts";
import type { ExitDesk } from "./exit/exit-desk.ts";
import { SlotMover } from "./exit/move-slots.ts";
import { dropUnpaid, settleSlots } from "./housekeeping.ts";
import { watchFunds } from "./policy/funds.ts";
import { findAbsent, watchDisk, watchStanding } from "./policy/watch.ts";
import type { Inventory } from "./prover/inventory.ts";
import { type ProverState, proveDuePeriod } from "./prover/prover.ts";
import { runRepairs } from "./repair/start.ts";
import { scrubOnce, scrubPositionFile } from "./store/scrubber.ts";

const PROVE_INTERVAL_MS = 1_000;
const CHALLENGES_INTERVAL_MS = 2_000;
const DISK_INTERVAL_MS = 5_000;
const HOUSEKEEPING_INTERVAL_MS = 15_000;
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
  readonly lifecycle: Lifecycle;
}

export function startLoops({ context, inventory, exit, offers, lifecycle }: LoopOptions): void {
  const { signal } = lifecycle;
  const { log, config } = context;
  const proving: ProverState = { keptAfter: 0 };
  const challenges = new ChallengeWatch(context);
  const mover = new SlotMover(context, exit, signal);
  let isCompared = false;
  const works: Readonly<Record<string, readonly [intervalMs: number, work: () => Promise<void>]>> = {
    prove: [
      PROVE_INTERVAL_MS,
      async () => {
        await proveDuePeriod(context, inventory, proving);
        await declareDamaged(context, proving.keptAfter);
      },
    ],
    challenges: [CHALLENGES_INTERVAL_MS, () => challenges.look()],
    disk: [DISK_INTERVAL_MS, () => watchDisk(context)],
    housekeeping: [
      HOUSEKEEPING_INTERVAL_MS,
      async () => {
        await inventory.refresh();
        if (!isCompared) await findAbsent(context, inventory);
        isCompared = true;
        await settleSlots(context, inventory);
        await dropUnpaid(context);
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
  if (config.repair) loops.push(runRepairs(context, offers, signal));
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
