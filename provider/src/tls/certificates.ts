/** The daemon's certificate, wherever it comes from: files that somebody else renews, or ACME; and who wants to know of a new one. */
import { join } from "node:path";
import type { CertificatePair, Logger } from "@ppio/daemon";
import type { ProviderMetrics } from "../metrics.ts";
import type { ProviderConfig } from "../options.ts";
import { AcmeKeeper, readKept } from "./acme-keeper.ts";
import type { Certificate } from "./certificate.ts";
import { readCertificate, watchCertificateFiles } from "./certificate-files.ts";
import { openChallengeServer } from "./http-challenge.ts";

export interface Certificates {
  /** Undefined until ACME has got the first one. */
  readonly current: Certificate | undefined;
  /** Why there is no newer one. */
  readonly failure: string | undefined;
  /** From now on every new one goes there. */
  onChange(set: (pair: CertificatePair) => void): void;
  /** Looks for a newer one; never throws. */
  turn(signal: AbortSignal): Promise<void>;
}

export interface CertificatesOptions {
  readonly config: ProviderConfig;
  readonly metrics: ProviderMetrics;
  readonly log: Logger;
  readonly now: () => number;
}

/** Undefined for plain HTTP. @throws CONFIG, IO */
export async function openCertificates(options: CertificatesOptions): Promise<Certificates | undefined> {
  const { config, metrics, log, now } = options;
  let set: (pair: CertificatePair) => void = () => undefined;
  const use = (certificate: Certificate): void => {
    metrics.set("ppio_certificate_expires_at", Math.floor(certificate.until / 1000));
    set(certificate);
  };
  const onFailure = (): void => metrics.add("ppio_certificate_failures_total", 1);
  const onChange = (to: typeof set): void => {
    set = to;
  };
  if (config.acme) {
    const keeper = await AcmeKeeper.open({
      ...keptBy(config),
      directoryUrl: config.acmeDirectoryUrl,
      email: config.acmeEmail,
      openResponder: () => openChallengeServer(config.host, config.acmeHttpPort),
      onCertificate: use,
      onFailure,
      log,
      now,
    });
    if (keeper.current !== undefined) use(keeper.current);
    return {
      get current() {
        return keeper.current;
      },
      get failure() {
        return keeper.failure;
      },
      onChange,
      turn: (signal) => keeper.turn(signal),
    };
  }
  if (config.tlsCertFile === "") return undefined;
  const files = { certFile: config.tlsCertFile, keyFile: config.tlsKeyFile };
  let current = await readCertificate(files);
  use(current);
  const renewed = (certificate: Certificate): void => {
    current = certificate;
    use(certificate);
  };
  const look = watchCertificateFiles({ ...files, log, onChange: renewed, onFailure }, current);
  return {
    get current() {
      return current;
    },
    failure: undefined,
    onChange,
    turn: look,
  };
}

function keptBy({ dataDir, acmeDomain }: ProviderConfig): { readonly folder: string; readonly domain: string } {
  return { folder: join(dataDir, "acme"), domain: acmeDomain.toLowerCase() };
}

/** What a daemon with these settings serves with, for a look from another process. @throws CONFIG, IO */
export async function readServedCertificate({
  config,
  log,
}: Pick<CertificatesOptions, "config" | "log">): Promise<Certificate | undefined> {
  if (config.acme) return await readKept({ ...keptBy(config), log });
  return config.tlsCertFile === "" ? undefined : await readCertificate({ certFile: config.tlsCertFile, keyFile: config.tlsKeyFile });
}
