/** How a provider stands on the chain, as far as a few views tell: what selection goes by. The whole history is in `history.ts`. */
import type { Chain } from "../chain/chain.ts";

/** Periods before the present one that are looked at: 30 days of hours. */
export const STANDING_PERIODS = 720;
/** Proven periods after which a provider is no newcomer any more: a week of hours; fewer when verifiers have scored it. */
export const VETTED_PERIODS = 168;
export const VETTED_PERIODS_SCORED = 24;

/** A score of service that the verifier committee gave. */
export interface ServiceScore {
  /** 0 (useless) to 10000 (flawless). */
  readonly score: number;
  /** Term in which it was measured. */
  readonly term: number;
}

export interface Standing {
  /** Length of what was looked at, in periods; less than `STANDING_PERIODS` on a young network. */
  readonly windowPeriods: number;
  /** Proven ones of them. */
  readonly provenPeriods: number;
  /** The newest incident's misses and one for each earlier incident that is not forgotten; 0 when the newest miss lies before the window. */
  readonly missedPeriods: number;
  /** Missing while it was never scored. */
  readonly score?: ServiceScore;
}

/** @param currentPeriod of the chain, now */
export async function readStanding(chain: Chain, providerId: number, currentPeriod: number, signal?: AbortSignal): Promise<Standing> {
  const from = Math.max(0, currentPeriod - STANDING_PERIODS);

  const [proven, penalties, score] = await chain.read(
    "standing",
    () =>
      Promise.all([
        chain.proofs.provenCount(providerId, from, currentPeriod),
        chain.proofs.penaltyRecord(providerId),
        chain.committee.scoreOf(providerId),
      ]),
    signal,
  );
  const { incidentMisses, incidents, lastMissPeriod } = penalties;
  const isRecent = incidentMisses > 0n && Number(lastMissPeriod) >= from;
  return {
    windowPeriods: currentPeriod - from,
    provenPeriods: Number(proven),
    missedPeriods: isRecent ? Number(incidentMisses) + Math.max(0, Number(incidents) - 1) : 0,
    ...(score.term === 0n ? {} : { score: { score: Number(score.score), term: Number(score.term) } }),
  };
}

/** Whether a provider has shown for long enough that it is there. */
export function isVetted({ provenPeriods, score }: Standing): boolean {
  return provenPeriods >= (score === undefined ? VETTED_PERIODS : VETTED_PERIODS_SCORED);
}
