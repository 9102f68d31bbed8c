/**
 * Connecting to an endpoint to see whether the right daemon answers there. Made for strangers' endpoints: names are resolved once and the
 * connection goes to the address that was looked at; only public addresses and ports of such services; one small answer, in bounded time, of
 * which nobody is told more than how it went.
 */
import { lookup } from "node:dns/promises";
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { type DialbackEcho, type DialOutcome, dialbackAnswerMessage, type SigningDomain } from "@ppio/core";
import { addressKind, hostOf, plainAddress } from "./addresses.ts";

const DIAL_MS = 5_000;
const ANSWER_BYTES_MAX = 4_096;
/** Below it live services that were never meant for this. */
const FREE_PORTS_FROM = 1_024;
const WEB_PORTS: ReadonlySet<number> = new Set([80, 443]);

export interface Dialled {
  readonly outcome: DialOutcome;
  readonly address?: string;
  readonly reason?: string;
  readonly echo?: string;
}

export interface DialOptions {
  readonly endpoint: string;
  readonly nonce: string;
  readonly providerId: number;
  /** Of that provider: the answer must be signed by it. */
  readonly operator: string;
  readonly domain: SigningDomain;
  /** In a private network (a devnet), or for one's own listener. */
  readonly allowsPrivate: boolean;
  /** Only the signature counts, not the certificate: for one's own listener by its local address. */
  readonly trustsAnyCertificate?: boolean;
  readonly signal?: AbortSignal;
}

/** Never throws. */
export async function dial(options: DialOptions): Promise<Dialled> {
  const { endpoint, allowsPrivate, signal } = options;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !mayDial(url, allowsPrivate)) return { outcome: "forbidden" };
  const bounds = AbortSignal.any([AbortSignal.timeout(DIAL_MS), ...(signal === undefined ? [] : [signal])]);
  const addresses = await resolve(hostOf(url), bounds);
  const [first] = addresses;
  if (first === undefined) return { outcome: "unresolved" };
  const address = allowsPrivate ? first : addresses.find((one) => addressKind(one) === "public");
  if (address === undefined) return { outcome: "forbidden", address: first };
  return { address, ...(await ask(url, address, options, bounds)) };
}

/** The addresses of a name, IPv4 first; none when there is no such name. */
export async function resolve(host: string, signal: AbortSignal): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const gaveUp = new Promise<readonly string[]>((end) => signal.addEventListener("abort", () => end([]), { once: true }));
  const found = lookup(host, { all: true, order: "ipv4first" }).then(
    (all) => all.map(({ address }) => address),
    () => [],
  );
  return Promise.race([found, gaveUp]);
}

function mayDial(url: URL, allowsPrivate: boolean): boolean {
  if (url.protocol !== "http:" && url.protocol !== "https:") return false;
  if (url.username !== "" || url.password !== "" || url.search !== "") return false;
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  return allowsPrivate || port >= FREE_PORTS_FROM || WEB_PORTS.has(port);
}

function ask(url: URL, address: string, options: DialOptions, signal: AbortSignal): Promise<Omit<Dialled, "address">> {
  const { nonce, trustsAnyCertificate = false } = options;
  const family = isIP(plainAddress(address));
  const open = url.protocol === "https:" ? httpsRequest : httpRequest;
  const path = `${url.pathname.replace(/\/+$/, "")}/v1/dialback/${nonce}`;
  const settings: RequestOptions & { rejectUnauthorized: boolean } = {
    path,
    agent: false,
    signal,
    rejectUnauthorized: !trustsAnyCertificate,
    // The name was resolved and looked at: it must not lead elsewhere now.
    lookup: (_host, { all }, found) => (all === true ? found(null, [{ address, family }]) : found(null, address, family)),
  };
  return new Promise((end) => {
    const request = open(url, settings, (response) => {
      readEcho(response, options).then(end, () => end({ outcome: signal.aborted ? "silent" : "broken" }));
    });
    request.once("error", (error: NodeJS.ErrnoException) => end(failureOf(error, signal)));
    request.end();
  });
}

async function readEcho(response: IncomingMessage, options: DialOptions): Promise<Omit<Dialled, "address">> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > ANSWER_BYTES_MAX) return { outcome: "stranger" };
  }
  const { domain, providerId, nonce, operator } = options;
  try {
    const { signature } = JSON.parse(Buffer.concat(pieces).toString("utf8")) as DialbackEcho;
    const signer = dialbackAnswerMessage.recover(domain, { providerId, nonce }, signature);
    return signer === operator ? { outcome: "reached", echo: signature } : { outcome: "stranger" };
  } catch {
    return { outcome: "stranger" };
  }
}

function failureOf(error: NodeJS.ErrnoException, signal: AbortSignal): Omit<Dialled, "address"> {
  const { code = "" } = error;
  if (signal.aborted || code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH") return { outcome: "silent" };
  if (code === "ECONNREFUSED") return { outcome: "refused" };
  const isTls = /CERT|SIGNATURE|SELF_SIGNED|ISSUER|^ERR_TLS|^ERR_SSL|^EPROTO/.test(code);
  return isTls ? { outcome: "tls", reason: code } : { outcome: "broken" };
}
