/** Getting one certificate for one name (RFC 8555, section 7.4): order, HTTP-01 challenge, request, download. */
import { PpioError } from "@ppio/core";
import { type AcmeSession, parseJson, refusal } from "./acme-session.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { certificateRequest } from "./csr.ts";
import { type AccountKey, newKeyPem, thumbprint } from "./jws.ts";

interface Problem {
  readonly type?: string;
  readonly detail?: string;
}

interface Order {
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: Problem;
}

interface Authorization {
  readonly status: string;
  readonly challenges: readonly { readonly type: string; readonly url: string; readonly token: string; readonly error?: Problem }[];
}

/** Answers `GET /.well-known/acme-challenge/TOKEN` while a challenge is open. */
export interface ChallengeResponder {
  show(token: string, answer: string): void;
  hide(token: string): void;
}

const AUTHORIZATIONS_MAX = 4;
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

/** @throws REFUSED with the authority's reason, NETWORK, TIMEOUT, CANCELLED */
export async function orderCertificate(
  session: AcmeSession,
  account: AccountKey,
  domain: string,
  responder: ChallengeResponder,
): Promise<Certificate> {
  const { newOrder } = await session.directory();
  const opened = await session.post(newOrder, { identifiers: [{ type: "dns", value: domain }] });
  const order = parseJson<Partial<Order>>(opened.text);
  const { location: orderUrl } = opened;
  if (orderUrl === undefined || order.finalize === undefined || order.authorizations === undefined) throw malformed();
  for (const url of order.authorizations.slice(0, AUTHORIZATIONS_MAX)) await authorize(session, account, url, responder);

  const key = newKeyPem();
  await session.poll<Order>(orderUrl, ({ status, error }) => isPast(status, ["pending"], error));
  await session.post(order.finalize, { csr: certificateRequest(domain, key).toString("base64url") });
  const done = await session.poll<Order>(orderUrl, ({ status, error }) => isPast(status, ["pending", "ready", "processing"], error));
  if (done.certificate === undefined) throw malformed();
  const certificate = parseCertificate({ cert: (await session.post(done.certificate)).text, key });
  if (!certificate.isFor(domain)) throw new PpioError("BAD_FORMAT", "The certificate authority sent another name's certificate.");
  return certificate;
}

async function authorize(session: AcmeSession, account: AccountKey, url: string, responder: ChallengeResponder): Promise<void> {
  const { status, challenges } = parseJson<Partial<Authorization>>((await session.post(url)).text);
  if (status === "valid") return;
  const challenge = challenges?.find(({ type }) => type === "http-01");
  if (challenge === undefined || !TOKEN.test(challenge.token)) {
    throw new PpioError("REFUSED", "The certificate authority offers no HTTP-01 challenge for this name; use tlsCertFile instead.");
  }
  responder.show(challenge.token, `${challenge.token}.${thumbprint(account)}`);
  try {
    await session.post(challenge.url, {});
    await session.poll<Authorization>(url, (now) => {
      const failed = now.challenges.find(({ url: at }) => at === challenge.url)?.error;
      return isPast(now.status, ["pending", "processing"], failed);
    });
  } finally {
    responder.hide(challenge.token);
  }
}

/** @throws REFUSED when it ended badly */
function isPast(status: string, waiting: readonly string[], error: Problem | undefined): boolean {
  if (waiting.includes(status)) return false;
  if (status === "ready" || status === "valid" || status === "processing") return true;
  throw refusal(error ?? { detail: `it is ${status}` });
}

function malformed(): PpioError {
  return new PpioError("BAD_FORMAT", "The certificate authority's answer cannot be read; check acmeDirectoryUrl.");
}
