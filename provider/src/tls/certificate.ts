/** A certificate with its key: read, checked to belong together, and asked what a customer would ask. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { PpioError } from "@ppio/core";
import type { CertificatePair } from "@ppio/daemon";

export interface Certificate extends CertificatePair {
  /** Unix milliseconds. */
  readonly from: number;
  readonly until: number;
  /** Whether it is for this name or IP address. */
  isFor(host: string): boolean;
}

/** @throws CONFIG when it is no certificate, no key, or the key is another one's */
export function parseCertificate({ cert, key }: CertificatePair): Certificate {
  const leaf = parsed("certificate", () => new X509Certificate(cert));
  const isOurs = parsed("key", () => leaf.checkPrivateKey(createPrivateKey(key)));
  if (!isOurs) throw new PpioError("CONFIG", "The key is not the certificate's; give the two that belong together.");
  return {
    cert,
    key,
    from: Date.parse(leaf.validFrom),
    until: Date.parse(leaf.validTo),
    isFor: (host) => (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) !== undefined,
  };
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new PpioError("CONFIG", `The ${what} is no PEM that can be read; give another file.`, { cause });
  }
}

/** Share of its life that is over: 0 when it begins, 1 when it ends. */
export function ageShare({ from, until }: Pick<Certificate, "from" | "until">, now: number): number {
  return (now - from) / (until - from);
}
