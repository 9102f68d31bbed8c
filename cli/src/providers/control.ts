/** Talking to a running provider through the door that it leaves open for its operator (`control.json` in its data folder). */
import { join } from "node:path";
import { PpioError } from "@ppio/core";
import { readJsonFile } from "@ppio/daemon";
import type { ControlFile, Report } from "@ppio/provider";

const CALL_MS = 15_000;

/** A report as it travels: amounts are decimal strings. */
export type WireReport = { readonly [K in keyof Report]: Report[K] extends bigint ? string : Report[K] };

export class ProviderControl {
  readonly #file: ControlFile;
  readonly #signal: AbortSignal;

  private constructor(file: ControlFile, signal: AbortSignal) {
    this.#file = file;
    this.#signal = signal;
  }

  /** Undefined when no provider runs on the folder, or answers. */
  static async find(dataDir: string, signal: AbortSignal): Promise<ProviderControl | undefined> {
    const file = await readJsonFile<Partial<ControlFile> | null>(join(dataDir, "control.json"));
    if (file?.version !== 1 || !file.url || !file.token) return undefined;
    const control = new ProviderControl(file as ControlFile, signal);
    return (await control.#answers()) ? control : undefined;
  }

  /** @throws NOT_FOUND */
  static async open(dataDir: string, signal: AbortSignal): Promise<ProviderControl> {
    const control = await ProviderControl.find(dataDir, signal);
    if (control !== undefined) return control;
    throw new PpioError("NOT_FOUND", `No provider runs on ${dataDir}; start it, or give its folder with --data-dir.`);
  }

  get url(): string {
    return this.#file.url;
  }

  report(): Promise<WireReport> {
    return this.#call<WireReport>("GET", "/status");
  }

  beginExit(): Promise<unknown> {
    return this.#call("POST", "/exit");
  }

  cancelExit(): Promise<unknown> {
    return this.#call("POST", "/exit/cancel");
  }

  giveUpDamaged(): Promise<{ readonly accepted: readonly string[] }> {
    return this.#call("POST", "/damage/give-up");
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.#fetch("GET", "/status")).status !== 401;
    } catch {
      return false;
    }
  }

  #fetch(method: string, path: string): Promise<Response> {
    return fetch(`${this.#file.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#file.token}`, "ppio-control": "1" },
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(CALL_MS)]),
    });
  }

  async #call<T>(method: string, path: string): Promise<T> {
    let response: Response;
    let body: unknown;
    try {
      response = await this.#fetch(method, path);
      body = await response.json();
    } catch (cause) {
      if (this.#signal.aborted) throw new PpioError("CANCELLED", "Stopped.", { cause });
      throw new PpioError("NETWORK", `The provider at ${this.#file.url} does not answer; look at its log.`, { cause });
    }
    if (response.ok) return body as T;
    const said = (body as { readonly error?: { readonly message?: unknown } }).error?.message;
    throw new PpioError("CHAIN_UNREACHABLE", typeof said === "string" ? said : `The provider answered with status ${response.status}.`);
  }
}
