/**
 * Measures in the terms in which this verifier sits on the committee: the plan's probes that are due, a few at a time, each written down
 * as soon as it is over.
 */
import { isPpioError, measuredProviders } from "@ppio/core";
import type { VerifierContext } from "./context.ts";
import { type CanaryGrant, loadGrants } from "./grants.ts";
import type { TermPlan } from "./journal.ts";
import { type ProbeResult, probe } from "./probe.ts";
import { type PlannedProbe, planProbes } from "./schedule.ts";
import { drawRead, findTargets, type Target } from "./targets.ts";

/** More would measure our own line. */
const PROBES_AT_ONCE = 4;
/** A probe that could not be made by then (we were down, or busy) is not made up for: its hour is over. */
const LATE_MS = 60_000;
/** Grants and the slots of their deals are looked at again after so long. */
const TARGETS_MS = 20_000;
/** The last part of a term is left to probes that are under way. */
const LAST_MS = 15_000;
const LAST_SHARE = 0.15;
/** Others that are asked whether we hear anybody. */
const WITNESSES_MAX = 3;
const WITNESS_MS = 3_000;

export interface MeasureOptions {
  /** Folders and addresses of grants. */
  readonly grants: readonly string[];
  readonly probesPerProvider: number;
}

export class Measuring {
  readonly #context: VerifierContext;
  readonly #options: MeasureOptions;
  #plan: { readonly term: number; readonly probes: readonly PlannedProbe[]; readonly done: Set<string> } | undefined;
  #targets: ReadonlyMap<number, readonly Target[]> = new Map();
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(context: VerifierContext, options: MeasureOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Makes the probes that are due now. @param term in which this verifier is a member */
  async run(term: number, seed: string): Promise<void> {
    const plan = await this.#planOf(term, seed);
    const { now, metrics } = this.#context;
    const due = plan.probes.filter(({ at, providerId, index }) => at <= now() && !plan.done.has(keyOf(providerId, index)));
    if (due.length === 0) return;
    await this.#look();
    for (const planned of due.filter(({ at }) => at + LATE_MS < now())) {
      plan.done.add(keyOf(planned.providerId, planned.index));
      metrics.add("ppio_probes_dropped_total", 1);
    }
    const timely = due.filter(({ at }) => at + LATE_MS >= now()).slice(0, PROBES_AT_ONCE);
    const made = await Promise.allSettled(
      timely.map(async (planned) => {
        await this.#make(term, planned);
        plan.done.add(keyOf(planned.providerId, planned.index));
      }),
    );
    for (const one of made) if (one.status === "rejected") throw one.reason;
  }

  async #planOf(term: number, seed: string) {
    if (this.#plan?.term === term) return this.#plan;
    const { journal } = this.#context;
    const known = (await journal.plan(term)) ?? (await this.#decide(term, seed));
    const probes = planProbes({ ...known, seed: journal.seed, probesPerProvider: this.#options.probesPerProvider });
    const done = new Set((await journal.measurements(term)).map(({ providerId, index }) => keyOf(providerId, index)));
    this.#plan = { term, probes, done };
    return this.#plan;
  }

  async #decide(term: number, seed: string): Promise<TermPlan> {
    const { chain, committee, journal, now, log } = this.#context;
    const { openPeriod, commitPeriod } = await committee.windowsOf(term);
    const opensMs = Number((await chain.proofs.periodBounds(openPeriod)).open) * 1000;
    const closesMs = Number((await chain.proofs.periodBounds(commitPeriod)).open) * 1000;
    const lastMs = Math.min(LAST_MS, (closesMs - opensMs) * LAST_SHARE);
    const providerIds = measuredProviders(seed, Number(await chain.registry.providerCount()));
    const fromMs = Math.max(opensMs, now());
    const plan: TermPlan = { term, providerIds, fromMs, untilMs: Math.max(fromMs, closesMs - lastMs) };
    await journal.savePlan(plan);
    log.info("measuring for a term", { term, providers: providerIds.length });
    return plan;
  }

  async #look(): Promise<void> {
    const { chain, domain, log, signal, metrics, now } = this.#context;
    if (now() - this.#lookedAt < TARGETS_MS) return;
    const grants: CanaryGrant[] = await loadGrants({ domain, places: this.#options.grants, log, signal });
    this.#targets = await findTargets(chain, grants, log);
    this.#lookedAt = now();
    metrics.set("ppio_canary_providers", this.#targets.size);
  }

  async #make(term: number, { providerId, index, draw }: PlannedProbe): Promise<void> {
    const { chain, domain, transport, journal, lies, metrics, payers, log, signal, now, elapsedMs } = this.#context;
    const at = now();
    const drop = (reason: string): void => {
      metrics.add("ppio_probes_dropped_total", 1);
      log.debug("a probe is not counted", { providerId, reason });
    };
    const targets = this.#targets.get(providerId) ?? [];
    const read = this.#drawn(targets, draw, domain, at);
    if (read === undefined) return drop("no canary slot or ticket");
    const { endpoint, operator, owner } = await chain.registry.getProvider(providerId);
    const payer = payers?.payerOf(term, providerId);
    const paying = payer === undefined ? {} : { payer };
    const result = await probe({ read, endpoint, operator, owner, domain, transport, nowMs: elapsedMs, signal, ...paying });
    await payers?.flush();
    if (result.isUnpaid) {
      metrics.add("ppio_probes_unpaid_total", 1);
      return drop(result.reason);
    }
    const { lie } = result;
    if (lie !== undefined) await lies.keep(providerId, lie);
    if (result.isUnheard && !(await this.#hearsAnybody(providerId))) return drop("no provider is heard; it may be our own network");
    // A slot that changed hands meanwhile is nobody's failure.
    if (result.outcome !== "served" && !(await this.#stillHolds(read.target))) return drop("the slot changed hands");
    const { outcome, firstByteMs, bodyMs, bytes } = result;
    await journal.add(term, { providerId, index, at, outcome, firstByteMs, bodyMs, bytes });
    this.#count(providerId, result);
  }

  #drawn(targets: readonly Target[], draw: Uint8Array, domain: VerifierContext["domain"], at: number) {
    try {
      return drawRead(targets, draw, domain, Math.floor(at / 1000));
    } catch (error) {
      if (!isPpioError(error, "NOT_FOUND")) throw error;
      return undefined;
    }
  }

  #count(providerId: number, { outcome, reason }: ProbeResult): void {
    const { metrics, log } = this.#context;
    metrics.add("ppio_probes_total", 1);
    if (outcome === "failed") metrics.add("ppio_probes_failed_total", 1);
    if (outcome === "false") metrics.add("ppio_probes_false_total", 1);
    if (outcome !== "served") log.debug("a probe failed", { providerId, outcome, reason });
  }

  async #stillHolds({ dealId, slotIndex, providerId }: Target): Promise<boolean> {
    const { chain } = this.#context;
    const [slot, current] = await Promise.all([chain.market.slot(dealId, slotIndex), chain.proofs.currentPeriod()]);
    return Number(slot.providerId) === providerId && current < slot.liveUntil;
  }

  /** Whether any other provider with a canary answers now. Without another one the provider alone is to blame. */
  async #hearsAnybody(providerId: number): Promise<boolean> {
    const { chain, transport, signal } = this.#context;
    const others = [...this.#targets.keys()].filter((id) => id !== providerId);
    if (others.length === 0) return true;
    const asked = [...others.slice(providerId % others.length), ...others.slice(0, providerId % others.length)].slice(0, WITNESSES_MAX);
    const heard = await Promise.all(
      asked.map(async (id) => {
        const { endpoint } = await chain.registry.getProvider(id);
        const bounded = AbortSignal.any([signal, AbortSignal.timeout(WITNESS_MS)]);
        // Any answer, also a refusal, is one.
        return transport.request({ method: "GET", url: `${endpoint}/v1/info`, signal: bounded }).then(
          async ({ body }) => {
            await body.close?.();
            return true;
          },
          () => false,
        );
      }),
    );
    return heard.includes(true);
  }
}

function keyOf(providerId: number, index: number): string {
  return `${providerId}/${index}`;
}
