/**
 * One attempt to store an object: its salt and keys, and which provider was sent which slot. Every attempt draws its own, unless it goes
 * on with one that was cut, whose rows must come to what they came to then. A large object's attempt is noted before its first byte
 * leaves, and forgotten when its deal is safe in the journal.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { type DealHeader, dealIdOf, encodeDealHeader, isPpioError } from "@ppio/core";
import { getBytes, hexlify, toUtf8Bytes } from "ethers";
import type { Context } from "../context.ts";
import { openRecord, sealRecord } from "../seal/index.ts";
import type { StoredAttempt } from "./attempt-store.ts";
import { isOpened } from "./open-deals.ts";
import { journalKeys } from "./pending.ts";

const VERSION = 1;
/** Smaller objects begin anew: that costs less than the flushes. */
const NOTED_FROM_BYTES = 8 << 20;

/** What sealing and dealing draw. */
export interface AttemptSecrets {
  readonly objectVersion: number;
  readonly contentKey: Uint8Array;
  readonly salt: Uint8Array;
  readonly fillKey: Uint8Array;
  readonly dealSalt: Uint8Array;
}

export interface Attempt extends AttemptSecrets {
  /** It goes on with one that was cut. */
  readonly isResumed: boolean;
  /** Marks of the rows that were sealed before. */
  readonly known: Uint8Array;
  /** Providers by the slots that they were sent a part of. */
  readonly begun: ReadonlyMap<number, number>;
  /** Keeps who serves which slot; before they are sent anything. */
  readonly onHired?: (providers: ReadonlyMap<number, number>) => Promise<void>;
  /** Keeps marks; before their rows are sent. */
  readonly append?: (marks: Uint8Array) => Promise<void>;
  /** Whether providers shall keep what they have when it fails. */
  isKept(error: unknown): boolean;
  /** Forgets it: its deal is in the journal, or its bytes are of no use. */
  done(): Promise<void>;
  /** Lets others go on with it. */
  close(): Promise<void>;
}

export interface AttemptOptions {
  readonly objectId: Uint8Array;
  readonly sizeBytes: number;
  readonly header: DealHeader;
  /** Version of the object that is there already; attempts at older ones are of no use. */
  readonly versionBefore: number;
}

export async function beginAttempt(context: Context, options: AttemptOptions): Promise<Attempt> {
  const { objectId, sizeBytes, versionBefore } = options;
  const id = hexlify(objectId);
  const stored = sizeBytes < NOTED_FROM_BYTES ? undefined : await context.attempts?.open(id.slice(2));
  try {
    const before = stored?.record === undefined ? undefined : await openNoted(context, id, stored.record, options);
    const marks = stored === undefined || before === undefined ? undefined : marksOf(before.secrets, stored.marks);
    const secrets = before?.secrets ?? {
      objectVersion: Math.max(context.clock.nowMs(), versionBefore + 1),
      contentKey: context.random(32),
      salt: context.random(32),
      fillKey: context.random(32),
      dealSalt: context.random(32),
    };
    const begun = before?.providers ?? new Map<number, number>();
    const unnoted = { ...secrets, isResumed: false, known: new Uint8Array(), begun };
    if (stored === undefined) return { ...unnoted, isKept: () => false, done: async () => {}, close: async () => {} };
    return {
      ...unnoted,
      isResumed: before !== undefined,
      known: marks ?? new Uint8Array(),
      onHired: (providers) => note(context, id, stored, options, { secrets, providers: new Map([...begun, ...providers]) }),
      append: appendTo(stored, secrets, marks !== undefined),
      // What a source that has changed was sealed to fits nothing any more.
      isKept: (error) => !isPpioError(error, "CONFLICT") && !isPpioError(error, "TRUNCATED"),
      done: () => stored.done(),
      close: () => stored.close(),
    };
  } catch (error) {
    await stored?.close();
    throw error;
  }
}

/** Marks belong to a salt: those of an older attempt are not this one's. */
const labelOf = ({ salt }: AttemptSecrets): Uint8Array => sha256(salt);

/** Nothing when there are none of this attempt. */
function marksOf(secrets: AttemptSecrets, bytes: Uint8Array): Uint8Array | undefined {
  const label = labelOf(secrets);
  if (bytes.length < label.length || !label.every((byte, at) => byte === bytes[at])) return undefined;
  return bytes.subarray(label.length);
}

function appendTo(stored: StoredAttempt, secrets: AttemptSecrets, isBegun: boolean) {
  let isLabelled = isBegun;
  return async (marks: Uint8Array): Promise<void> => {
    if (isLabelled) return stored.append(marks);
    await stored.clear();
    const label = labelOf(secrets);
    const first = new Uint8Array(label.length + marks.length);
    first.set(label);
    first.set(marks, label.length);
    await stored.append(first);
    isLabelled = true;
  };
}

interface Noted {
  readonly secrets: AttemptSecrets;
  readonly providers: ReadonlyMap<number, number>;
}

interface Plain {
  readonly version: number;
  /** Chain and market: elsewhere nobody has anything. */
  readonly network: string;
  readonly header: string;
  readonly sizeBytes: number;
  readonly objectVersion: number;
  readonly contentKey: string;
  readonly salt: string;
  readonly fillKey: string;
  readonly dealSalt: string;
  /** Slot index, provider. */
  readonly providers: readonly (readonly [number, number])[];
}

function networkOf({ chain }: Context): string {
  return `${chain.domain.chainId}/${chain.domain.market.toLowerCase()}`;
}

async function note(context: Context, id: string, stored: StoredAttempt, options: AttemptOptions, noted: Noted): Promise<void> {
  const { objectVersion, contentKey, salt, fillKey, dealSalt } = noted.secrets;
  const plain: Plain = {
    version: VERSION,
    network: networkOf(context),
    header: hexlify(encodeDealHeader(options.header)),
    sizeBytes: options.sizeBytes,
    objectVersion,
    contentKey: hexlify(contentKey),
    salt: hexlify(salt),
    fillKey: hexlify(fillKey),
    dealSalt: hexlify(dealSalt),
    providers: [...noted.providers],
  };
  await stored.save(await sealRecord(journalKeys(context, id), toUtf8Bytes(JSON.stringify(plain)), context.random));
}

/** Nothing for a record of another object, code or network, and for one that cannot be read: then all begins anew. */
async function openNoted(context: Context, id: string, record: Uint8Array, options: AttemptOptions): Promise<Noted | undefined> {
  let plain: Plain;
  try {
    plain = JSON.parse(new TextDecoder().decode(await openRecord(journalKeys(context, id), record))) as Plain;
  } catch (error) {
    context.log.warn("the note of an interrupted put cannot be read; the put begins anew", { error: String(error) });
    return undefined;
  }
  const isSame =
    plain.version === VERSION &&
    plain.network === networkOf(context) &&
    plain.header === hexlify(encodeDealHeader(options.header)) &&
    plain.sizeBytes === options.sizeBytes &&
    plain.objectVersion > options.versionBefore;
  if (!isSame) return undefined;
  const { objectVersion, contentKey, salt, fillKey, dealSalt, providers } = plain;
  // One whose deal is open is over: what is left of it is the journal's.
  const { chain } = context;
  if (await isOpened(chain, dealIdOf(chain.domain, await chain.address(), dealSalt))) return undefined;
  return {
    secrets: {
      objectVersion,
      contentKey: getBytes(contentKey),
      salt: getBytes(salt),
      fillKey: getBytes(fillKey),
      dealSalt: getBytes(dealSalt),
    },
    providers: new Map(providers),
  };
}
