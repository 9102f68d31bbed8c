/** Brings alerts to a URL of the operator's: a JSON POST each, in order, with a bounded line and bounded retries. */
import { type Logger, pause } from "@ppio/daemon";
import type { AlertNotice } from "./alerts.ts";

const POST_TIMEOUT_MS = 10_000;
const TRIES_MAX = 5;
/** Doubles with every try. */
const FIRST_PAUSE_MS = 1_000;
/** Notices that wait; the newest are dropped, since the first tells what began it. */
const WAITING_MAX = 64;

export interface WebhookOptions {
  readonly url: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly firstPauseMs?: number;
}

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #waiting: AlertNotice[] = [];
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /** Returns at once. */
  tell(notice: AlertNotice): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#options.log.warn("too many alerts wait for the webhook; one is left out", { id: notice.id });
      return;
    }
    this.#waiting.push(notice);
    if (!this.#isRunning) this.#running = this.#run();
  }

  /** Resolves once nothing is under way. */
  async close(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let notice = this.#waiting[0]; notice !== undefined && !this.#options.signal.aborted; notice = this.#waiting[0]) {
      await this.#deliver(notice);
      this.#waiting.shift();
    }
    this.#isRunning = false;
  }

  async #deliver(notice: AlertNotice): Promise<void> {
    const { signal, log, firstPauseMs = FIRST_PAUSE_MS } = this.#options;
    for (let tries = 1; tries <= TRIES_MAX && !signal.aborted; tries += 1) {
      const failure = await this.#post(notice);
      if (failure === undefined) return;
      if (tries === TRIES_MAX) log.warn("an alert could not be delivered", { id: notice.id, failure });
      else await pause(firstPauseMs * 2 ** (tries - 1), signal);
    }
  }

  /** Why it failed; undefined when it did not. */
  async #post(notice: AlertNotice): Promise<string | undefined> {
    const { url, signal } = this.#options;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(notice, (_key, value) => (typeof value === "bigint" ? value.toString() : value)),
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(POST_TIMEOUT_MS)]),
      });
      await response.body?.cancel();
      return response.ok ? undefined : `status ${response.status}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
