/**
 * What a person should know of: raised once while it lasts, told again when it still lasts after hours, and told when it is over. Telling
 * goes to the log and, when `alertUrl` is set, to a webhook (docs/operating/provider.md, "Alerts").
 */
import type { Logger } from "@ppio/daemon";

export const ALERT_KINDS = [
  "period-missed",
  "low-funds",
  "disk-failing",
  "damage-declared",
  "damage-held-back",
  "challenge-open",
  "evicted",
  "unreachable",
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

export interface Alert {
  readonly kind: AlertKind;
  /** What it is about, so that two slots are two alerts; one of a kind without. */
  readonly subject?: string;
  /** One sentence that says what to do. */
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface OpenAlert extends Alert {
  /** Unix milliseconds. */
  readonly since: number;
}

/** The JSON document of a webhook. */
export interface AlertNotice extends Alert {
  readonly version: 1;
  /** The same for every notice of one alert. */
  readonly id: string;
  readonly providerId: number;
  readonly state: "open" | "over";
  /** ISO 8601. */
  readonly since: string;
  readonly at: string;
}

/** What still lasts is told again after so long. */
const REMIND_MS = 6 * 3_600_000;
/** Alerts that are open at once; the oldest gives way. */
const OPEN_MAX = 256;

export interface AlertsOptions {
  readonly providerId: number;
  readonly log: Logger;
  readonly now: () => number;
  /** Takes a notice; must not throw. */
  readonly tell?: (notice: AlertNotice) => void;
}

interface Kept extends OpenAlert {
  readonly toldAt: number;
}

export class Alerts {
  readonly #options: AlertsOptions;
  readonly #open = new Map<string, Kept>();

  constructor(options: AlertsOptions) {
    this.#options = options;
  }

  /** Again and again while it lasts: only the first time counts, and a reminder. */
  raise(alert: Alert): void {
    const { log, now } = this.#options;
    const key = keyOf(alert);
    const known = this.#open.get(key);
    if (known !== undefined && now() - known.toldAt < REMIND_MS) return;
    const kept: Kept = { ...alert, since: known?.since ?? now(), toldAt: now() };
    this.#open.set(key, kept);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= OPEN_MAX) break;
      this.#open.delete(oldest);
    }
    log.error(alert.message, { alert: alert.kind, subject: alert.subject, ...alert.details });
    this.#tell(kept, "open");
  }

  /** An event that does not last: told once, whatever was told before. */
  tellOnce(alert: Alert): void {
    this.raise(alert);
    this.#open.delete(keyOf(alert));
  }

  /** It is over; nothing when it was not open. */
  clear(kind: AlertKind, subject?: string): void {
    const key = keyOf({ kind, ...(subject === undefined ? {} : { subject }) });
    const known = this.#open.get(key);
    if (known === undefined) return;
    this.#open.delete(key);
    this.#options.log.info("an alert is over", { alert: kind, subject });
    this.#tell(known, "over");
  }

  open(): readonly OpenAlert[] {
    return [...this.#open.values()];
  }

  #tell(alert: OpenAlert, state: AlertNotice["state"]): void {
    const { tell, providerId, now } = this.#options;
    const { kind, subject, message, details, since } = alert;
    tell?.({
      version: 1,
      id: `${providerId}/${keyOf(alert)}/${since}`,
      providerId,
      state,
      kind,
      ...(subject === undefined ? {} : { subject }),
      message,
      ...(details === undefined ? {} : { details }),
      since: new Date(since).toISOString(),
      at: new Date(now()).toISOString(),
    });
  }
}

function keyOf({ kind, subject }: Pick<Alert, "kind" | "subject">): string {
  return subject === undefined ? kind : `${kind}/${subject}`;
}
