/**
 * Tells a dynamic DNS service the public address, by the one thing that all of them understand: a GET of an address with a secret in it.
 * The address is never logged. The service sees where the request comes from; `{ip}` is for those that want to be told.
 */
import { PpioError, toPpioError } from "@ppio/core";
import type { Logger } from "@ppio/daemon";

const REQUEST_MS = 10_000;
const BODY_BYTES_MAX = 4_096;
/** Without an address to compare, the service is told again after this time: it compares by itself. */
const REPEAT_MS = 1_800_000;
/** And in any case: some services forget names that are not renewed. */
const RENEW_MS = 86_400_000;
const RETRY_MS = 60_000;
const RETRY_MS_MAX = 3_600_000;
/** What services of the dyndns2 kind and DuckDNS say with status 200. */
const REFUSALS = /^(badauth|notfqdn|nohost|numhost|abuse|badagent|!donator|dnserr|911|KO)\b/i;

export interface DynamicDnsOptions {
  readonly url: string;
  readonly log: Logger;
  readonly now: () => number;
  readonly fetch?: typeof fetch;
}

export class DynamicDns {
  readonly #options: DynamicDnsOptions;
  #told: { readonly address: string | undefined; readonly at: number } | undefined;
  #retryAt = Number.NEGATIVE_INFINITY;
  #retryMs = RETRY_MS;
  #failure: string | undefined;

  constructor(options: DynamicDnsOptions) {
    this.#options = options;
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  /** @param address the public one, when it is known. Never throws. */
  async turn(address: string | undefined, signal: AbortSignal): Promise<void> {
    const { url, log, now } = this.#options;
    if (!this.#isDue(address)) return;
    try {
      await this.#tell(url.replaceAll("{ip}", address ?? ""), signal);
      this.#told = { address, at: now() };
      this.#failure = undefined;
      this.#retryMs = RETRY_MS;
      log.info("the dynamic DNS service knows the address", { address: address ?? "the one it sees" });
    } catch (cause) {
      if (signal.aborted) return;
      const error = toPpioError(cause, "NETWORK");
      this.#failure = error.message;
      this.#retryAt = now() + this.#retryMs;
      this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
      // Without its cause, which may name the address.
      log.error("the dynamic DNS service was not told the address", { why: error.message });
    }
  }

  #isDue(address: string | undefined): boolean {
    const { url, now } = this.#options;
    if (now() < this.#retryAt || (address === undefined && url.includes("{ip}"))) return false;
    const told = this.#told;
    if (told === undefined || told.address !== address) return true;
    return now() - told.at >= (address === undefined ? REPEAT_MS : RENEW_MS);
  }

  async #tell(filled: string, signal: AbortSignal): Promise<void> {
    const url = new URL(filled);
    const headers: Record<string, string> = { "user-agent": "ppio-provider/1 dynamic-dns" };
    if (url.username !== "") {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers["authorization"] = `Basic ${Buffer.from(pair).toString("base64")}`;
      url.username = "";
      url.password = "";
    }
    const ask = this.#options.fetch ?? fetch;
    const bounds = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
    const response = await ask(url, { headers, redirect: "error", signal: bounds }).catch(() => {
      throw new PpioError("NETWORK", "The dynamic DNS service does not answer; check dynamicDnsUrl and the connection.");
    });
    const text = await firstBytes(response);
    const refusal = REFUSALS.exec(text.trim())?.[1];
    if (!response.ok || refusal !== undefined) {
      const said = refusal ?? `status ${response.status}`;
      throw new PpioError("REFUSED", `The dynamic DNS service refuses with "${said}"; check dynamicDnsUrl.`);
    }
  }
}

async function firstBytes(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece, { stream: true });
      if (text.length >= BODY_BYTES_MAX) break;
    }
  } catch {
    throw new PpioError("NETWORK", "The dynamic DNS service broke off its answer.");
  }
  return text;
}
