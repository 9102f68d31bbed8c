/** A row reader over a deal of the chain: tickets, providers and verification wired together. */

import { type AnswerHead, type DealHeader, isPpioError } from "@ppio/core";
import type { Chain } from "../chain/chain.ts";
import { type DealSource, loadSlotProvider } from "../chain/deal-view.ts";
import type { Context } from "../context.ts";
import { noteLie } from "../fraud/note-lie.ts";
import { createInlinePool, type WorkerPool } from "../workers/pool.ts";
import { likingOf } from "./liking.ts";
import { measured } from "./measured.ts";
import { createRoom, type Room } from "./room.ts";
import { createRowReader, type RowReader } from "./row-reader.ts";
import { openSlotAnswer } from "./slot-answer.ts";
import { createSlotStream, type SlotStream } from "./slot-stream.ts";
import { issueTicket } from "./ticket.ts";

/** What a reader needs to know of a deal. */
export interface ReadableDeal {
  readonly deal: DealSource;
  /** Value of the `authorization` header. The same ticket again is cheaper for a provider than a new one. */
  readonly authorization: string;
  /** Slots of which an answer's signature was right. */
  readonly signed: Set<number>;
}

/** Until an answer of a slot was signed as it must be, all signatures are checked; then one in so many. */
const ANSWERS_PER_CHECK = 16;

/** Who has kept others waiting for so long is noted as stalled, for the next processes too. */
const STALLED_MS = 1_000;

/** What is hashed at once on the thread that received it. */
const CHECKED_BYTES = 128 << 10;

/** A reader of a deal's rows, to be closed: what it asked for ahead is given up then. */
export interface DealReader extends RowReader {
  readonly header: DealHeader;
  close(): void;
}

export interface ReadingOptions {
  /** Where cells are checked; on the calling thread without it. */
  readonly workers?: WorkerPool;
  /** Where what is read lies; memory that is not used again without it. */
  readonly room?: Room;
  /** Rows of a slot from here on are not asked for ahead. All of it without this. */
  readonly endRowOf?: (slotIndex: number) => number;
  /** Slots that are not read at all. */
  readonly without?: ReadonlySet<number>;
  /**
   * Whether what is read now is held against the deal's roots; always, without this. Whoever says no must find out by itself what is
   * wrong, and then read it again and say yes.
   */
  readonly isChecked?: () => boolean;
}

export interface OpenReaderOptions extends ReadingOptions {
  readonly dealId: string;
  readonly signal?: AbortSignal;
}

/** Reads a deal by what is known of it, and by what the chain says now when too few of the providers that are known serve it. */
export async function openReader(context: Context, options: OpenReaderOptions): Promise<DealReader> {
  const { dealId, signal } = options;
  await context.service.ready();
  let isFresh = false;
  const look = (how: "find" | "ask") =>
    context.deals.get(dealId, async () => {
      const { deal, isFromChain } = await context.dealBook[how](dealId, signal);
      isFresh = isFromChain;
      return { deal, authorization: await ticketFor(context, deal), signed: new Set<number>() };
    });
  const first = readerOf(context, await look("find"), options);
  const readers = [first];
  let latest = Promise.resolve(first);
  const renew = async (): Promise<DealReader> => {
    context.deals.forget(dealId);
    const reader = readerOf(context, await look("ask"), options);
    readers.push(reader);
    return reader;
  };
  return {
    header: first.header,
    failures: () => readers.at(-1)?.failures() ?? new Map(),
    async readRows(...request) {
      const used = latest;
      try {
        return await (await used).readRows(...request);
      } catch (error) {
        if (!isPpioError(error, "UNRECOVERABLE")) throw error;
        if (used === latest) {
          if (isFresh) throw error;
          latest = renew();
        }
        return (await latest).readRows(...request);
      }
    },
    close: () => {
      for (const reader of readers) reader.close();
    },
  };
}

/** Reads `deal` as it was loaded. */
export async function openReaderOf(context: Context, deal: DealSource, options: ReadingOptions): Promise<DealReader> {
  await context.service.ready();
  return readerOf(context, { deal, authorization: await ticketFor(context, deal), signed: new Set() }, options);
}

function ticketFor({ chain, clock, random, limits }: Context, { dealId, header }: DealSource): Promise<string> {
  return issueTicket({ domain: chain.domain, signer: chain.signer(), dealId, header, seconds: limits.authoritySeconds, clock, random });
}

function readerOf(context: Context, { deal, authorization, signed }: ReadableDeal, options: ReadingOptions): DealReader {
  const { chain, clock, limits, log, readPace, service, stragglers } = context;
  const { dealId, header } = deal;
  const { workers = createInlinePool(), room = createRoom(), endRowOf = () => header.rows } = options;
  const { without = new Set(), isChecked = () => true } = options;
  const usable = deal.slots.filter((slot) => !without.has(slot.slotIndex) && slot.provider.endpoint !== "");
  const providerOf = (slotIndex: number): number => deal.slots[slotIndex]?.provider.providerId ?? 0;
  const streams = new Map<number, SlotStream>();
  const streamOf = (slotIndex: number): SlotStream => {
    const known = streams.get(slotIndex);
    if (known !== undefined) return known;
    const slot = deal.slots[slotIndex];
    if (slot === undefined) throw new RangeError(`no slot ${slotIndex}`);
    const { endpoint, providerId } = slot.provider;
    const currentOperator = operatorOf(chain, providerId);
    const onContradiction = (head: AnswerHead, firstCell: number): Promise<void> =>
      noteLie(context, slot, { dealId, slotIndex, firstCell, shape: header }, head, currentOperator);
    const answer = { dealId, header, slot, authorization, isChecked, hasRoots, checkedBytes, onContradiction, currentOperator };
    const stream = createSlotStream({
      header,
      endRow: endRowOf(slotIndex),
      room,
      rowsMax: Math.max(1, Math.floor(limits.readBytesMax / header.cellBytes)),
      open: (firstRow, rowCount, signal) => {
        const isSignatureChecked = !signed.has(slotIndex) || (context.random(1)[0] ?? 0) < 256 / ANSWERS_PER_CHECK;
        const free = context.api(endpoint);
        const api = context.payer?.api(free, slot.provider) ?? free;
        const request = { ...answer, isSignatureChecked, api, domain: chain.domain };
        const opened = measured(context, providerId, () => openSlotAnswer(request, firstRow, rowCount, signal));
        if (isSignatureChecked) opened.then(() => signed.add(slotIndex)).catch(() => {});
        return opened;
      },
    });
    streams.set(slotIndex, stream);
    return stream;
  };
  // A worker has to be told, so it is told of all that was read.
  const checkedBytes = workers.size > 0 ? limits.getBufferBytes : CHECKED_BYTES;
  const hasRoots = async (firstRow: number, cells: Uint8Array, roots: Uint8Array): Promise<boolean> =>
    workers.run("check", { header, firstRow, cells, roots });
  const reader = createRowReader({
    dealId,
    header,
    ...likingOf(usable, service.recordOf, clock.nowMs()),
    onFailed: (slotIndex, error) => service.failed(providerOf(slotIndex), error),
    onOvertaken: (slotIndex, waitedMs) => {
      if (waitedMs >= STALLED_MS) service.late(providerOf(slotIndex));
    },
    pace: readPace,
    stragglers,
    providerOf,
    readCells: async (slotIndex, ...rows) => streamOf(slotIndex).read(...rows),
    room,
    limits,
    clock,
    log,
  });
  return {
    ...reader,
    header,
    close: () => {
      for (const stream of streams.values()) stream.close();
      void service.settle();
      context.payer?.flush().catch((error) => log.warn("what is owed for reads could not be written", { error: String(error) }));
    },
  };
}

function operatorOf(chain: Chain, providerId: number): () => Promise<string> {
  return async () => (await loadSlotProvider(chain, providerId)).operator;
}
