/**
 * Canary objects: ordinary objects of random bytes, put as any customer puts its own, so that no provider can tell them from others; and
 * grants to read them for verifiers (docs/protocol/verifiers.md, "Canary grants").
 */
import { randomBytes, randomInt } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@ppio/client";
import { PpioError, type ReadTicket, readTicketMessage, type SigningDomain, type TicketEnvelope } from "@ppio/core";
import { atomicWriteFile } from "@ppio/daemon";
import { hexlify, type Signer, ZeroAddress } from "ethers";
import type { OpenedClient } from "../client/open-client.ts";

/** Codes that customers use, by n. */
const CODES = [
  [2, 4],
  [4, 8],
  [10, 16],
  [20, 40],
] as const;
const OBJECT_BYTES = { min: 96 * 1024, max: 768 * 1024 };
/** Objects put until every provider that can take slots has one. */
const OBJECTS_MAX = 24;
const HOUR_SECONDS = 3_600;
/** A customer's ticket lasts so long. */
const TICKET_HOURS = 6;
const BUCKET = "files";

export interface CanaryOptions {
  readonly opened: OpenedClient;
  /** Periods that each object is paid for. */
  readonly periods: number;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface Canaries {
  readonly dealIds: readonly string[];
  /** Providers that hold a slot of one. */
  readonly covered: readonly number[];
  /** Providers that could take slots and got none. */
  readonly uncovered: readonly number[];
}

/** Puts objects until each provider that takes customers holds a slot of one, or the bound is reached. */
export async function makeCanaries({ opened, periods, note, signal }: CanaryOptions): Promise<Canaries> {
  const { client } = opened;
  const usable = (await client.listProviders(signal)).filter(({ problem }) => problem === undefined).map(({ providerId }) => providerId);
  const [k, n] = CODES.findLast(([, slots]) => slots <= usable.length) ?? [0, 0];
  if (n === 0) throw new PpioError("NOT_ENOUGH_PROVIDERS", `Canaries need 4 providers; ${usable.length} can take slots now.`);
  const covered = new Set<number>();
  const dealIds: string[] = [];
  while (usable.some((id) => !covered.has(id)) && dealIds.length < OBJECTS_MAX) {
    const bytes = randomBytes(randomInt(OBJECT_BYTES.min, OBJECT_BYTES.max));
    const key = randomBytes(8).toString("hex");
    const { dealId } = await client.put({ bucket: BUCKET, key, source: bytesSource(bytes), k, n, periods, signal });
    if (dealId === undefined) throw new PpioError("INTERNAL", "A canary object has no deal.");
    dealIds.push(dealId);
    for (const { provider } of (await client.deal(dealId, signal)).slots) covered.add(provider.providerId);
    note(`canary object ${dealIds.length}: ${covered.size} of ${usable.length} providers hold one`);
  }
  return { dealIds, covered: [...covered].sort((a, b) => a - b), uncovered: usable.filter((id) => !covered.has(id)) };
}

export interface GrantOptions {
  readonly opened: OpenedClient;
  readonly dealIds: readonly string[];
  /** A folder per verifier, so that no two show the same ticket. */
  readonly folders: readonly string[];
  /** How long the grants can be used. */
  readonly hours: number;
}

/** Writes a grant per deal into each folder. */
export async function writeGrants({ opened, dealIds, folders, hours }: GrantOptions): Promise<void> {
  const { client, book, wallet } = opened;
  const domain: SigningDomain = { chainId: BigInt(book.chainId), market: book.market };
  for (const dealId of dealIds) {
    const { header } = await client.deal(dealId);
    for (const folder of folders) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const tickets = await issueTickets(domain, wallet, { dealId, cellCount: header.rows, hours });
      const grant = { version: 1, chainId: book.chainId, market: book.market, owner: wallet.address, dealId, tickets };
      await atomicWriteFile(join(folder, `${dealId.slice(2, 18)}.json`), `${JSON.stringify(grant)}\n`, { mode: 0o600 });
    }
  }
}

/** One per hour, each for the hour in which it is a customer's fresh one: no ticket tells by its age that it was made long before. */
async function issueTickets(
  domain: SigningDomain,
  signer: Signer,
  { dealId, cellCount, hours }: { readonly dealId: string; readonly cellCount: number; readonly hours: number },
): Promise<TicketEnvelope[]> {
  const thisHour = Math.ceil(Date.now() / 1000 / HOUR_SECONDS);
  return Promise.all(
    Array.from({ length: hours + TICKET_HOURS }, async (_, hour) => {
      const expiry = (thisHour + hour) * HOUR_SECONDS;
      const ticket: ReadTicket = { dealId, firstCell: 0, cellCount, audience: ZeroAddress, expiry, nonce: hexlify(randomBytes(32)) };
      return { ticket, signature: await readTicketMessage.sign(domain, ticket, signer) };
    }),
  );
}
