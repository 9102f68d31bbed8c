/** The certificate: there, for the right name, and for how long. Whether strangers accept it, helpers say. */
import { ageShare, type Certificate } from "../tls/certificate.ts";
import { hostOf } from "./addresses.ts";
import { type Finding, finding } from "./findings.ts";
import type { ReachState } from "./reach-state.ts";

/** ACME renews at two thirds: past this, that has failed for a while, or nobody renews. */
const EXPIRES_SHARE = 0.85;
const DAY_MS = 86_400_000;

/** Undefined: plain HTTP; "none": TLS without a certificate yet; a sentence: it cannot be read. */
export type ServedCertificate = Certificate | "none" | { readonly unreadable: string } | undefined;

export function checkTls(certificate: ServedCertificate, endpoint: string, state: ReachState | undefined, now: number): Finding {
  const why = state?.certificateFailure === undefined ? "" : ` (${state.certificateFailure})`;
  if (certificate === undefined) {
    const isProxied = endpoint.startsWith("https:");
    if (isProxied) return finding("tls-ok", "The daemon serves plain HTTP; TLS ends at the proxy before it.");
    return finding("tls-off", "The daemon serves plain HTTP, in which slots stay sealed; set acme or tlsCertFile for TLS.");
  }
  if (certificate === "none") {
    return finding("tls-missing", `No certificate could be got yet${why}; see that acmeDomain leads here and its port 80 to acmeHttpPort.`);
  }
  if ("unreadable" in certificate) return finding("tls-missing", certificate.unreadable);
  const until = new Date(certificate.until).toISOString().slice(0, 10);
  if (now > certificate.until || now < certificate.from) {
    return finding("tls-expired", `The certificate does not hold now (until ${until})${why}; renew it, or correct the clock.`);
  }
  const host = URL.canParse(endpoint) ? hostOf(new URL(endpoint)) : "";
  if (host !== "" && !certificate.isFor(host)) {
    return finding("tls-name", `The certificate is not for ${host}; get one that is, or publish the name that it is for.`);
  }
  const days = Math.floor((certificate.until - now) / DAY_MS);
  if (ageShare(certificate, now) > EXPIRES_SHARE) {
    return finding("tls-expires", `The certificate ends in ${days} days, on ${until}${why}; renew it.`);
  }
  return finding("tls-ok", `The certificate is for ${host} and holds for ${days} days, until ${until}.`);
}
