/** Verified range reads: every cell is checked against its root before a byte of it leaves; the answer's head is signed. */
import {
  answerRootsHash,
  cellPartProof,
  cellRunProof,
  type DealHeader,
  encodeAnswerHead,
  encodeCellSiblings,
  isPpioError,
  NODE_BYTES,
  PpioError,
  readAnswerMessage,
  readTicketMessage,
  slotBytes,
  type TicketEnvelope,
  UNIT_BYTES,
} from "@ppio/core";
import { getBytes, verifyMessage, ZeroAddress } from "ethers";
import type { Express, Response } from "express";
import type { ProviderContext } from "../context.ts";
import { uploadIdOf } from "../store/slot-record.ts";
import { Gate } from "./gate.ts";
import { type ProviderLimits, READ_BYTES_MAX } from "./limits.ts";
import { parseDealId, parseNumber, parseTicket } from "./parse.ts";

interface CellSpan {
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

export function addReadRoutes(app: Express, context: ProviderContext, limits: ProviderLimits): void {
  const gate = new Gate(limits.readBufferBytes, limits.waitingMax);
  app.get("/v1/deals/:dealId/slots/:slot", async (request, response) => {
    const dealId = parseDealId(request.params.dealId);
    const slotIndex = parseNumber(request.params.slot, "slot");
    const offset = parseNumber(request.query["offset"], "offset");
    const length = parseNumber(request.query["length"], "length");
    const uploadId = uploadIdOf(dealId, slotIndex);
    const found = context.store.find(uploadId);
    if (found === undefined || found.meta.state !== "sealed") throw new PpioError("NOT_FOUND", "This provider does not hold that slot.");
    checkRange(found.header, offset, length);
    const spans = cellSpans(found.header, offset, length);
    checkTicket(context, parseTicket(request.header("authorization")), request.header("ppio-audience-signature"), {
      dealId,
      owner: found.meta.owner,
      firstCell: spans[0]?.row ?? 0,
      cellCount: spans.length,
    });
    const wanted = { uploadId, dealId, slotIndex, header: found.header, spans };
    await gate.run(found.header.cellBytes, () => answer(context, response, wanted, limits.stallMs));
  });
}

function checkRange(header: DealHeader, offset: number, length: number): void {
  if (offset % UNIT_BYTES !== 0 || length % UNIT_BYTES !== 0 || length === 0 || offset + length > slotBytes(header)) {
    throw new PpioError("BAD_FORMAT", `A read is a positive multiple of ${UNIT_BYTES} bytes inside the slot's ${slotBytes(header)}.`);
  }
  if (length > READ_BYTES_MAX) throw new PpioError("TOO_LARGE", `A read is at most ${READ_BYTES_MAX} bytes; ask for less at a time.`);
}

function cellSpans(header: DealHeader, offset: number, length: number): CellSpan[] {
  const first = Math.floor(offset / header.cellBytes);
  const last = Math.floor((offset + length - 1) / header.cellBytes);
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const row = first + index;
    const start = row * header.cellBytes;
    return { row, from: Math.max(offset - start, 0), to: Math.min(offset + length - start, header.cellBytes) };
  });
}

interface Wanted {
  readonly dealId: string;
  readonly owner: string;
  readonly firstCell: number;
  readonly cellCount: number;
}

function checkTicket(context: ProviderContext, envelope: TicketEnvelope, audienceSignature: string | undefined, wanted: Wanted): void {
  const { ticket, signature } = envelope;
  const refuse = (why: string): PpioError => new PpioError("UNAUTHORIZED", `The ticket ${why}; ask the deal's owner for another.`);
  if (ticket.dealId.toLowerCase() !== wanted.dealId) throw refuse("is for another deal");
  if (ticket.expiry * 1000 < context.now()) throw refuse("has expired");
  if (ticket.firstCell > wanted.firstCell || ticket.firstCell + ticket.cellCount < wanted.firstCell + wanted.cellCount) {
    throw refuse("does not cover these cells");
  }
  if (readTicketMessage.recover(context.domain, ticket, signature) !== wanted.owner) throw refuse("is not signed by the deal's owner");
  if (ticket.audience === ZeroAddress) return;
  if (
    audienceSignature === undefined ||
    recoverMessage(readTicketMessage.digest(context.domain, ticket), audienceSignature) !== ticket.audience
  ) {
    throw refuse("is for somebody else");
  }
}

function recoverMessage(digest: string, signature: string): string | undefined {
  try {
    return verifyMessage(getBytes(digest), signature);
  } catch {
    return undefined;
  }
}

interface Answer {
  readonly uploadId: string;
  readonly dealId: string;
  readonly slotIndex: number;
  readonly header: DealHeader;
  readonly spans: readonly CellSpan[];
}

async function answer(context: ProviderContext, response: Response, wanted: Answer, stallMs: number): Promise<void> {
  const { uploadId, dealId, slotIndex, header, spans } = wanted;
  const roots = await context.store.cellRoots(uploadId);
  const firstCell = spans[0]?.row ?? 0;
  const cellRoots = spans.map(({ row }) => roots.slice(row * NODE_BYTES, (row + 1) * NODE_BYTES));
  const siblings = cellRunProof(header, roots, firstCell, spans.length);
  const servedAt = context.now();
  const signed = { dealId, slotIndex, firstCell, rootsHash: answerRootsHash(cellRoots, siblings), servedAt };
  const signature = getBytes(await readAnswerMessage.sign(context.domain, signed, context.operator));

  // One buffer for the whole answer: `write` returns once its bytes are out of our hands.
  const buffer = new Uint8Array(Math.min(header.cellBytes, slotBytes(header)));
  // The first cell is read before the head leaves, so that common damage becomes a clear status.
  let cell = await readCell(context, uploadId, firstCell, buffer);
  response.status(200).type("application/octet-stream");
  await write(response, stallMs, encodeAnswerHead({ cellRoots, siblings, servedAt, signature }));
  for (const span of spans) {
    if (span.row !== firstCell) cell = await readCell(context, uploadId, span.row, buffer);
    const to = Math.min(span.to, cell.length);
    const inside = encodeCellSiblings(cellPartProof(header, cell, span.from, to - span.from));
    await write(response, stallMs, inside, cell.subarray(span.from, to));
    context.metrics.add("ppio_served_bytes_total", to - span.from);
  }
  response.end();
}

async function readCell(context: ProviderContext, uploadId: string, row: number, buffer: Uint8Array): Promise<Uint8Array> {
  try {
    return await context.store.readCell(uploadId, row, buffer);
  } catch (error) {
    if (isPpioError(error, "CORRUPT")) context.metrics.add("ppio_corrupt_cells_total", 1);
    throw error;
  }
}

/** Waits until the system has taken the pieces, so that at most a cell lies in memory; a reader that takes nothing is given up. */
function write(response: Response, stallMs: number, ...pieces: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      stop();
      reject(new PpioError("CANCELLED", "The reader went away."));
    };
    const timer = setTimeout(leave, stallMs);
    const stop = (): void => {
      clearTimeout(timer);
      response.off("close", leave);
    };
    response.once("close", leave);
    if (response.destroyed) {
      leave();
      return;
    }
    pieces.forEach((piece, index) => {
      if (index < pieces.length - 1) response.write(piece);
      else
        response.write(piece, () => {
          stop();
          resolve();
        });
    });
  });
}
