/**
 * Keeps a certificate from ACME: the one on disk is used from the first moment, a new one is got at two thirds of its life, and while that
 * fails the old one serves on. Key and certificate lie in one file each, written whole, for the daemon's user alone.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { PpioError, toPpioError } from "@ppio/core";
import { atomicWriteFile, diskError, isErrno, type Logger } from "@ppio/daemon";
import { type ChallengeResponder, orderCertificate } from "./acme-order.ts";
import { AcmeSession } from "./acme-session.ts";
import { ageShare, type Certificate, parseCertificate } from "./certificate.ts";
import { accountKeyOf, newKeyPem } from "./jws.ts";

const RENEW_SHARE = 2 / 3;
/** After a failure; authorities count failed orders and refuse when there are too many in an hour. */
const RETRY_MS = 120_000;
const RETRY_MS_MAX = 21_600_000;
const SECRET = { mode: 0o600 } as const;

export interface AcmeKeeperOptions {
  /** For the account's key and the certificate; made when it is missing. */
  readonly folder: string;
  readonly directoryUrl: string;
  readonly domain: string;
  readonly email: string;
  /** Opened for the time of an order: port 80 may be another program's otherwise. */
  readonly openResponder: () => Promise<ChallengeResponder & { close(): Promise<void> }>;
  readonly onCertificate: (certificate: Certificate) => void;
  readonly onFailure: () => void;
  readonly log: Logger;
  readonly now: () => number;
  readonly fetch?: typeof fetch;
  readonly pollMs?: number;
}

export class AcmeKeeper {
  readonly #options: AcmeKeeperOptions;
  #current: Certificate | undefined;
  #retryAt = Number.NEGATIVE_INFINITY;
  #retryMs = RETRY_MS;
  #failure: string | undefined;

  private constructor(options: AcmeKeeperOptions, current: Certificate | undefined) {
    this.#options = options;
    this.#current = current;
  }

  /** With what is on the disk. @throws CONFIG, IO */
  static async open(options: AcmeKeeperOptions): Promise<AcmeKeeper> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    return new AcmeKeeper(options, await readKept(options));
  }

  get current(): Certificate | undefined {
    return this.#current;
  }

  /** Why the last order failed. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Gets or renews the certificate when that is due. Never throws. */
  async turn(signal: AbortSignal): Promise<void> {
    const { now, log, domain, onFailure, onCertificate } = this.#options;
    const current = this.#current;
    const isYoung = current !== undefined && ageShare(current, now()) < RENEW_SHARE;
    if (isYoung || now() < this.#retryAt) return;
    try {
      const certificate = await this.#order(signal);
      this.#current = certificate;
      this.#failure = undefined;
      this.#retryMs = RETRY_MS;
      onCertificate(certificate);
      log.info("a certificate was got", { domain, until: new Date(certificate.until).toISOString() });
    } catch (cause) {
      if (signal.aborted) return;
      const error = toPpioError(cause);
      this.#failure = error.message;
      this.#retryAt = now() + this.#retryMs;
      this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
      onFailure();
      const until = current === undefined ? undefined : new Date(current.until).toISOString();
      log.error("no certificate could be got; what there is serves on", { domain, until, error });
    }
  }

  async #order(signal: AbortSignal): Promise<Certificate> {
    const { folder, directoryUrl, domain, email, openResponder, fetch: ask, pollMs } = this.#options;
    const account = accountKeyOf(await keptOr(join(folder, "account-key.pem"), newKeyPem));
    const session = new AcmeSession({
      directoryUrl,
      account,
      signal,
      ...(ask === undefined ? {} : { fetch: ask }),
      ...(pollMs === undefined ? {} : { pollMs }),
    });
    await session.openAccount(email);
    const responder = await openResponder();
    try {
      const certificate = await orderCertificate(session, account, domain, responder);
      const { cert, key } = certificate;
      // One file: a crash never leaves a certificate with another one's key.
      await atomicWriteFile(certificateFile(folder), JSON.stringify({ version: 1, domain, cert, key }), SECRET);
      return certificate;
    } finally {
      await responder.close();
    }
  }
}

export function certificateFile(folder: string): string {
  return join(folder, "certificate.json");
}

interface KeptCertificate {
  readonly version?: number;
  readonly domain?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** A file of another name or that is damaged is as good as none: a new one is ordered. */
export async function readKept({
  folder,
  domain,
  log,
}: Pick<AcmeKeeperOptions, "folder" | "domain" | "log">): Promise<Certificate | undefined> {
  const text = await readIfThere(certificateFile(folder));
  if (text === undefined) return undefined;
  try {
    const { cert, key, ...kept } = JSON.parse(text) as KeptCertificate;
    if (kept.version === 1 && kept.domain === domain && cert !== undefined && key !== undefined) return parseCertificate({ cert, key });
    log.info("the certificate on disk is for another name; a new one is got", { domain: kept.domain });
  } catch (error) {
    log.warn("the certificate on disk cannot be read; a new one is got", { error });
  }
  return undefined;
}

async function keptOr(path: string, make: () => string): Promise<string> {
  const kept = await readIfThere(path);
  if (kept !== undefined) return kept;
  const made = make();
  // On disk before it is used: a lost key is a lost account.
  await atomicWriteFile(path, made, SECRET);
  return made;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) return undefined;
    const error = diskError(cause, path);
    throw new PpioError(error.code, error.message, { cause });
  }
}
