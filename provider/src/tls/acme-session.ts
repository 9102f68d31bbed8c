/** One client of an ACME server (RFC 8555): directory, nonces, the account, and requests that are bounded in size, time and number. */
import { PpioError } from "@ppio/core";
import { pause } from "@ppio/daemon";
import { type AccountKey, signRequest } from "./jws.ts";

const REQUEST_MS = 30_000;
const BODY_BYTES_MAX = 256 * 1024;
/** A nonce may be refused for no fault of ours; the answer brings another. */
const NONCE_TRIES_MAX = 5;
const POLLS_MAX = 30;
const POLL_MS = 2_000;
const POLL_MS_MAX = 15_000;
const BAD_NONCE = "urn:ietf:params:acme:error:badNonce";

export interface AcmeAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly retryAfter: number | undefined;
  readonly text: string;
}

interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
}

interface Problem {
  readonly type?: string;
  readonly detail?: string;
  readonly subproblems?: readonly Problem[];
}

export interface AcmeSessionOptions {
  readonly directoryUrl: string;
  readonly account: AccountKey;
  readonly signal: AbortSignal;
  readonly fetch?: typeof fetch;
  /** Between two looks at what the server is working on. */
  readonly pollMs?: number;
}

export class AcmeSession {
  readonly #options: AcmeSessionOptions;
  #directory: Directory | undefined;
  #nonce: string | undefined;
  #kid: string | undefined;

  constructor(options: AcmeSessionOptions) {
    this.#options = options;
  }

  /** Finds the account of the key, or makes it. @throws REFUSED, NETWORK */
  async openAccount(email: string): Promise<void> {
    const { newAccount } = await this.directory();
    const contact = email === "" ? {} : { contact: [`mailto:${email}`] };
    const { location } = await this.post(newAccount, { termsOfServiceAgreed: true, ...contact });
    if (location === undefined) throw new PpioError("BAD_FORMAT", "The certificate authority did not say which account is ours.");
    this.#kid = location;
  }

  async directory(): Promise<Directory> {
    if (this.#directory !== undefined) return this.#directory;
    const { status, text } = await this.#fetch(this.#options.directoryUrl, { method: "GET" });
    const read = status === 200 ? parseJson<Partial<Directory>>(text) : {};
    const { newNonce, newAccount, newOrder } = read;
    if (newNonce === undefined || newAccount === undefined || newOrder === undefined) {
      throw new PpioError("CONFIG", `${this.#options.directoryUrl} is no ACME directory; correct acmeDirectoryUrl.`);
    }
    this.#directory = { newNonce, newAccount, newOrder };
    return this.#directory;
  }

  /** @param payload undefined to read. @throws REFUSED with the server's reason, NETWORK, CANCELLED */
  async post(url: string, payload?: unknown): Promise<AcmeAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const nonce = this.#nonce ?? (await this.#newNonce());
      this.#nonce = undefined;
      const body = signRequest(this.#options.account, { url, nonce, kid: this.#kid, payload });
      const answer = await this.#fetch(url, { method: "POST", headers: { "content-type": "application/jose+json" }, body });
      if (answer.status < 400) return answer;
      const problem = parseJson<Problem>(answer.text);
      if (problem.type === BAD_NONCE && attempt < NONCE_TRIES_MAX) continue;
      throw refusal(problem, answer.status);
    }
  }

  /** Reads until `isDone`. @throws TIMEOUT after a bounded number of looks, and as `post` */
  async poll<T>(url: string, isDone: (value: T) => boolean): Promise<T> {
    const { signal, pollMs = POLL_MS } = this.#options;
    for (let looks = 0; looks < POLLS_MAX; looks += 1) {
      const { text, retryAfter } = await this.post(url);
      const value = parseJson<T>(text);
      if (isDone(value)) return value;
      await pause(retryAfter === undefined ? pollMs : Math.min(POLL_MS_MAX, retryAfter * 1_000), signal);
      if (signal.aborted) throw new PpioError("CANCELLED", "The process is stopping.");
    }
    throw new PpioError("TIMEOUT", "The certificate authority takes too long; it will be tried again.");
  }

  async #newNonce(): Promise<string> {
    const { newNonce } = await this.directory();
    await this.#fetch(newNonce, { method: "HEAD" });
    if (this.#nonce === undefined) throw new PpioError("BAD_FORMAT", "The certificate authority gave no nonce.");
    return this.#nonce;
  }

  async #fetch(url: string, init: RequestInit): Promise<AcmeAnswer> {
    const { signal } = this.#options;
    const ask = this.#options.fetch ?? fetch;
    try {
      const bounds = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
      const response = await ask(url, { ...init, redirect: "error", signal: bounds });
      this.#nonce = response.headers.get("replay-nonce") ?? this.#nonce;
      const decoder = new TextDecoder();
      let text = "";
      for await (const piece of response.body ?? []) {
        text += decoder.decode(piece, { stream: true });
        if (text.length > BODY_BYTES_MAX) throw new Error("the answer is too long");
      }
      const after = Number(response.headers.get("retry-after"));
      const location = response.headers.get("location") ?? undefined;
      return { status: response.status, location, retryAfter: after > 0 ? after : undefined, text };
    } catch (cause) {
      if (signal.aborted) throw new PpioError("CANCELLED", "The process is stopping.", { cause });
      throw new PpioError("NETWORK", "The certificate authority does not answer; it will be tried again.", { cause });
    }
  }
}

export function parseJson<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    return {} as T;
  }
}

/** The authority's own words, which say what is wrong with a name. */
export function refusal(problem: Problem, status?: number): PpioError {
  const all = [problem, ...(problem.subproblems ?? [])].map(({ detail }) => detail).filter((detail) => detail !== undefined);
  const why = all.length === 0 ? `status ${status ?? "unknown"}` : all.join("; ");
  return new PpioError("REFUSED", `The certificate authority refuses: ${why}`, { details: { type: problem.type } });
}
