/**
 * Which providers get the slots of a deal (docs/selection.md): distinct, able to take a slot, spread over owners, failure domains and
 * networks first, then cheap for what they are worth. Pure: the same pool gives the same choice. The order is that in which they are used:
 * vetted ones, then newcomers' share, then spares, and last those that failed this client lately.
 */
import { isPpioError, PpioError } from "@ppio/core";
import { type Candidate, type Fit, type FitOptions, judge } from "./fit.ts";
import type { ProviderPool } from "./list.ts";
import { bandOf, costPerPeriod, drawOf, factorOf, medianOf, mediansOf } from "./rank.ts";
import { describeReasons } from "./reasons.ts";
import { isHeld } from "./service-record.ts";
import { type Crowd, createCrowd, type Place, spreadOut } from "./spread.ts";
import { isVetted } from "./standing.ts";

export interface SelectOptions extends FitOptions {
  readonly pool: ProviderPool;
  /** Of the deal. */
  readonly code: { readonly k: number; readonly n: number };
  /** How many are needed; fewer is `NOT_ENOUGH_PROVIDERS`. */
  readonly needed: number;
  /** Most spares beyond `needed`. */
  readonly spares: number;
  /** Providers that are taken last. */
  readonly avoid?: ReadonlySet<number>;
  /** Who holds slots of the deal already. */
  readonly neighbours?: readonly (Place & { readonly providerId: number })[];
}

/** Part of a deal's slots that goes to newcomers. */
const NEWCOMER_SHARE = 0.2;
/** Providers that cost so many times the median of the vetted ones come after all others: none is taken for being alone somewhere. */
const DEAR_FACTOR = 4;

/** A candidate with what it is ordered by. */
interface Ranked extends Candidate {
  readonly isNew: boolean;
  /** What it costs, raised by what it is worth. */
  readonly price: number;
  /** Among equals, the smallest first. */
  readonly draw: number;
}

/** @throws NOT_ENOUGH_PROVIDERS with the reason of each that is out */
export function selectCandidates(options: SelectOptions): Candidate[] {
  const { needed, spares } = options;
  const rejected: { providerId: number; reason: string }[] = [];
  const fit: Fit[] = [];
  for (const view of options.pool.views) {
    const judged = judge(view, options);
    if (typeof judged === "string") rejected.push({ providerId: view.providerId, reason: judged });
    else fit.push(judged);
  }
  if (fit.length < needed) throw notEnough(needed, fit, rejected);
  return order(fit, options).slice(0, needed + spares);
}

/** The same; when too few of those who answered soon can be taken, everybody is waited for. */
export async function selectPatiently(options: SelectOptions): Promise<Candidate[]> {
  const { all } = options.pool;
  try {
    return selectCandidates(options);
  } catch (error) {
    if (all === undefined || !isPpioError(error, "NOT_ENOUGH_PROVIDERS")) throw error;
    return selectCandidates({ ...options, pool: await all() });
  }
}

/** Slots of a deal that may go to newcomers: a share, one at least, and never so many that the deal hangs on them. */
export function newcomersOf({ k, n }: SelectOptions["code"]): number {
  return Math.min(Math.max(1, Math.floor(NEWCOMER_SHARE * n)), Math.floor((n - k) / 2));
}

function order(fit: readonly Fit[], options: SelectOptions): Candidate[] {
  const { pool, needed, spares, neighbours = [] } = options;
  const ranked = rank(fit, pool);
  const isLast = ({ providerId, served }: Ranked): boolean =>
    isHeld(served, pool.nowMs) || (options.avoid?.has(providerId) === true && options.begun?.has(providerId) !== true);
  const held = ranked.filter(isLast).sort(byFailure);
  const free = ranked.filter((one) => !held.includes(one));
  const begun = free.filter(({ providerId }) => options.begun?.has(providerId));
  const vetted = free.filter((one) => !begun.includes(one) && !one.isNew);
  const fresh = free.filter((one) => !begun.includes(one) && one.isNew);

  const isNew = new Set(pool.views.filter(({ standing }) => !isVetted(standing)).map(({ providerId }) => providerId));
  const taken = [...neighbours, ...begun].filter(({ providerId }) => isNew.has(providerId)).length;
  const open = Math.max(0, needed - begun.length);
  const share = Math.min(open, Math.max(0, newcomersOf(options.code) - taken));

  // Who is dear is said by the vetted ones, so that newcomers cannot make everybody else dear by asking for nothing.
  const dearFrom = DEAR_FACTOR * (medianOf((vetted.length > 0 ? vetted : fresh).map(({ price }) => price)) ?? 0);
  const crowd = createCrowd([...neighbours, ...begun]);
  const fairFresh = fresh.filter(({ price }) => price <= dearFrom);
  const spread = (all: readonly Ranked[], most: number): Ranked[] => inTurn(all, most, dearFrom, crowd);
  const first = spread(vetted, open - Math.min(share, fairFresh.length));
  const newcomers = spread(fairFresh, Math.min(share, open - first.length));
  const left = (all: readonly Ranked[]): Ranked[] => all.filter((one) => !first.includes(one) && !newcomers.includes(one));
  const most = needed + spares;
  return [...begun, ...first, ...newcomers, ...spread(left(vetted), most), ...spread(left(fresh), most), ...held];
}

/** Spread out; the dear ones after the others. */
function inTurn(all: readonly Ranked[], most: number, dearFrom: number, crowd: Crowd): Ranked[] {
  const fair = spreadOut(
    all.filter(({ price }) => price <= dearFrom),
    most,
    crowd,
  );
  const dear = all.filter(({ price }) => price > dearFrom);
  return [...fair, ...spreadOut(dear, most - fair.length, crowd)];
}

/** Cheapest band first; within a band by lot, in proportion to the slots that each can take. */
function rank(fit: readonly Fit[], { seed }: ProviderPool): Ranked[] {
  const medians = mediansOf(fit);
  const ranked = fit.map((one): Ranked => {
    const price = costPerPeriod(one) * factorOf(one, medians);
    return { ...one, isNew: !isVetted(one.standing), price, draw: drawOf(seed, one.providerId, one.room) };
  });
  const cheapest = ranked.reduce((low, { price }) => Math.min(low, price), Number.POSITIVE_INFINITY);
  const band = ({ price }: Ranked): number => bandOf(price, cheapest);
  return ranked.sort((a, b) => band(a) - band(b) || a.draw - b.draw || a.providerId - b.providerId);
}

/** Those that failed longest ago first, liars last. */
function byFailure(a: Ranked, b: Ranked): number {
  const isLiar = ({ served }: Ranked): number => (served?.failure?.kind === "lied" ? 1 : 0);
  return isLiar(a) - isLiar(b) || (a.served?.failure?.atMs ?? 0) - (b.served?.failure?.atMs ?? 0) || a.providerId - b.providerId;
}

function notEnough(needed: number, fit: readonly Candidate[], rejected: readonly { providerId: number; reason: string }[]): PpioError {
  const reasons = describeReasons(rejected.map(({ providerId, reason }) => [providerId, reason]));
  return new PpioError(
    "NOT_ENOUGH_PROVIDERS",
    `${needed} providers are needed and ${fit.length} can take a slot now${reasons === "" ? "" : ` (${reasons})`}; start more or choose a smaller n.`,
    { details: { needed, fit: fit.map((candidate) => candidate.providerId), rejected } },
  );
}
