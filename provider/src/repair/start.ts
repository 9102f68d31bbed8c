/** Repair, put together: what it works with, and the loop that looks for work. */
import { join } from "node:path";
import { LieDesk, pause, repeat } from "@ppio/daemon";
import type { OfferDesk } from "../api/offers.ts";
import type { ProviderContext } from "../context.ts";
import { Pace } from "./pace.ts";
import { createRepairPayer } from "./pay.ts";
import { countedPeers } from "./peers.ts";
import { Plans } from "./plans.ts";
import { Repairer } from "./repairer.ts";
import { Vacancies } from "./vacancies.ts";

/** A look for vacancies, as often as a period asks for. */
const LOOKS_PER_PERIOD = 20;
const INTERVAL_MS_MIN = 500;
const INTERVAL_MS_MAX = 30_000;
/** Looks at what is kept; mostly nothing. */
const LIES_INTERVAL_MS = 5_000;

export interface RepairLoopOptions {
  readonly context: ProviderContext;
  readonly offers: OfferDesk;
  readonly periodMs: number;
  readonly signal: AbortSignal;
}

/** Resolves once everything has ended, after the signal. */
export async function runRepairs({ context, offers, periodMs, signal }: RepairLoopOptions): Promise<void> {
  const { config, chain, metrics, log } = context;
  const pace = new Pace({ bytesPerSecond: config.repairBytesPerSecond, now: () => performance.now(), wait: pause });
  const plans = await Plans.open(join(config.dataDir, "repairs"));
  const lies = await LieDesk.open({
    ...{ dir: join(config.dataDir, "lies"), chain, sender: context.sender, log },
    onProven: () => metrics.add("ppio_lies_proven_total", 1),
  });
  const proving = repeat({ name: "lies", intervalMs: LIES_INTERVAL_MS, signal, log, work: () => lies.settle() });
  const payer = createRepairPayer(context);
  const repair = { ...context, offers, lies, api: countedPeers(metrics), payer, pace, sleep: pause };
  const repairer = new Repairer(repair, new Vacancies(chain), plans, await plans.all(log));
  const intervalMs = Math.min(INTERVAL_MS_MAX, Math.max(INTERVAL_MS_MIN, Math.floor(periodMs / LOOKS_PER_PERIOD)));
  const work = async (): Promise<void> => {
    // What it would refuse of others it does not take for itself.
    if (context.admission.hindrances.length > 0) return;
    await repairer.round(signal);
    await payer.settle();
  };
  const dueInMs = (): number | undefined => (context.admission.hindrances.length > 0 ? undefined : repairer.turnInMs());
  await repeat({ name: "repair", intervalMs, signal, log, work, dueInMs });
  await repairer.close();
  await payer.settle();
  await proving;
}
