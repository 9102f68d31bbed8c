/**
 * Canary grants: what a verifier is given so that it can read as a customer does (docs/protocol/verifiers.md, "Canary grants"). From files
 * of a folder, or from an address that answers with a JSON list of them. A grant that does not hold is left out and told of; the others
 * count.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { PpioError, type ReadTicket, readTicketMessage, type SigningDomain, type TicketEnvelope } from "@ppio/core";
import { type Logger, readJsonFile } from "@ppio/daemon";
import { getAddress, isAddress, isHexString, ZeroAddress } from "ethers";

export const GRANTS_MAX = 1_024;
export const TICKETS_PER_GRANT_MAX = 1_024;
const GRANTS_BYTES_MAX = 16 * 1024 * 1024;
const FETCH_MS = 10_000;
const FILE = /^[^.].*\.json$/;

export interface CanaryGrant {
  readonly dealId: string;
  /** Signer of all tickets; the deal's owner, if the grant is worth anything. */
  readonly owner: string;
  readonly tickets: readonly TicketEnvelope[];
}

export interface GrantSource {
  readonly domain: SigningDomain;
  /** Folders, and addresses that begin with http. */
  readonly places: readonly string[];
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Of two grants for one deal both count. @throws nothing: a place that cannot be read is told of and left out */
export async function loadGrants(source: GrantSource): Promise<CanaryGrant[]> {
  const grants: CanaryGrant[] = [];
  for (const place of source.places) {
    try {
      for (const [name, value] of await readPlace(place, source.signal)) {
        if (grants.length === GRANTS_MAX) break;
        const grant = tryParse(source, name, value);
        if (grant !== undefined) grants.push(grant);
      }
    } catch (error) {
      source.log.warn("canary grants cannot be read", { place, error });
    }
  }
  return grants;
}

function tryParse({ domain, log }: GrantSource, name: string, value: unknown): CanaryGrant | undefined {
  try {
    return parseGrant(domain, value);
  } catch (error) {
    log.warn("a canary grant is left out", { name, error });
    return undefined;
  }
}

async function readPlace(place: string, signal: AbortSignal): Promise<(readonly [string, unknown])[]> {
  if (/^https?:\/\//.test(place)) {
    const response = await fetch(place, { signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)]), redirect: "error" });
    if (!response.ok) throw new PpioError("NETWORK", `${place} answered ${response.status}.`);
    const value = JSON.parse(await boundedText(place, response)) as unknown;
    return (Array.isArray(value) ? (value as unknown[]) : [value]).map((grant, at) => [`${place} (${at + 1})`, grant] as const);
  }
  const names = (await readdir(place)).filter((name) => FILE.test(name)).sort();
  return Promise.all(names.slice(0, GRANTS_MAX).map(async (name) => [name, await readJsonFile(join(place, name))] as const));
}

async function boundedText(place: string, response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > GRANTS_BYTES_MAX) throw new PpioError("TOO_LARGE", `${place} sends more than ${GRANTS_BYTES_MAX} bytes of grants.`);
  }
  return text;
}

/** Whether its tickets are signed is looked at when they are used. @throws BAD_FORMAT */
export function parseGrant(domain: SigningDomain, value: unknown): CanaryGrant {
  const { version, chainId, market, owner, dealId, tickets } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const bad = (what: string): PpioError => new PpioError("BAD_FORMAT", `The canary grant ${what}; ask its owner for another.`);
  if (version !== 1) throw bad("is of another version");
  if (BigInt(Number(chainId) || 0) !== domain.chainId || !isAddress(market) || getAddress(market) !== getAddress(domain.market)) {
    throw bad("is for another network");
  }
  if (!isAddress(owner) || !isHexString(dealId, 32)) throw bad("names no owner or deal");
  if (!Array.isArray(tickets) || tickets.length === 0 || tickets.length > TICKETS_PER_GRANT_MAX) throw bad("has no tickets, or too many");
  const [deal, signer] = [dealId.toLowerCase(), getAddress(owner)];
  return { dealId: deal, owner: signer, tickets: tickets.map((ticket) => parseEnvelope(deal, ticket)) };
}

function parseEnvelope(dealId: string, value: unknown): TicketEnvelope {
  const { ticket, signature } = (value ?? {}) as {
    readonly ticket?: Partial<Record<keyof ReadTicket, unknown>>;
    readonly signature?: unknown;
  };
  const { firstCell, cellCount, expiry, nonce } = ticket ?? {};
  const isWhole = [firstCell, cellCount, expiry].every((number) => Number.isSafeInteger(number) && Number(number) >= 0);
  if (!isWhole || !isHexString(nonce, 32) || !isHexString(signature, 65) || ticket?.audience !== ZeroAddress) {
    throw new PpioError("BAD_FORMAT", "A ticket of the canary grant is malformed or for one audience; ask its owner for another.");
  }
  const read: ReadTicket = {
    ...{ dealId, firstCell: Number(firstCell), cellCount: Number(cellCount), audience: ZeroAddress },
    ...{ expiry: Number(expiry), nonce },
  };
  if (String(ticket?.dealId).toLowerCase() !== dealId) {
    throw new PpioError("BAD_FORMAT", "A ticket of the canary grant is for another deal; ask its owner for another.");
  }
  return { ticket: read, signature };
}

/** Whether the grant's owner signed the ticket: a provider that refuses a wrong one is not to blame. */
export function isSigned(domain: SigningDomain, { owner }: CanaryGrant, { ticket, signature }: TicketEnvelope): boolean {
  return readTicketMessage.recover(domain, ticket, signature) === owner;
}
