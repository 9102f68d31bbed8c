/** Repair, put together: what it works with, and the loop that looks for work. */
import { join } from "node:path";
import { pause, repeat } from "@ppio/daemon";
import type { OfferDesk } from "../api/offers.ts";
import { askChain } from "../ask-chain.ts";
import type { ProviderContext } from "../context.ts";
import { Pace } from "./pace.ts";
import { countedPeers } from "./peers.ts";
import { Plans } from "./plans.ts";
import { Repairer } from "./repairer.ts";
import { Vacancies } from "./vacancies.ts";

/** A look for vacancies, as often as a period asks for. */
const LOOKS_PER_PERIOD = 20;
const INTERVAL_MS_MIN = 1_000;
const INTERVAL_MS_MAX = 30_000;

/** Resolves once everything has ended, after the signal. */
export async function runRepairs(context: ProviderContext, offers: OfferDesk, signal: AbortSignal): Promise<void> {
  const { config, chain, metrics, now, log } = context;
  const pace = new Pace({ bytesPerSecond: config.repairBytesPerSecond, now: () => performance.now(), wait: pause });
  const plans = await Plans.open(join(config.dataDir, "repairs"));
  const repair = { ...context, offers, api: countedPeers(metrics), pace, sleep: pause };
  const repairer = new Repairer(repair, new Vacancies(chain), plans, await plans.all(log));
  let intervalMs = INTERVAL_MS_MIN;
  let lookedAt = 0;
  const work = async (): Promise<void> => {
    // What it would refuse of others it does not take for itself.
    if (now() - lookedAt < intervalMs || context.admission.hindrances.length > 0) return;
    lookedAt = now();
    const periodSeconds = Number(await askChain(() => chain.proofs.periodSeconds()));
    intervalMs = Math.min(INTERVAL_MS_MAX, Math.max(INTERVAL_MS_MIN, (periodSeconds * 1000) / LOOKS_PER_PERIOD));
    await repairer.round(signal);
  };
  await repeat({ name: "repair", intervalMs: INTERVAL_MS_MIN, signal, log, work });
  await repairer.close();
}
