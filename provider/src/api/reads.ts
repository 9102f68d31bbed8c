/** Verified range reads: every cell is checked before a byte of it leaves; the answer's head is signed. */
import type { ServerResponse } from "node:http";
import {
  answerRootsHash,
  CELL_BYTES_MAX,
  cellLength,
  cellPartProof,
  cellPartProofLength,
  cellRunProofOf,
  type DealHeader,
  encodeAnswerHead,
  encodeCellSiblings,
  isPpioError,
  NODE_BYTES,
  PpioError,
  readAnswerMessage,
  slotBytes,
  UNIT_BYTES,
} from "@ppio/core";
import { getBytes } from "ethers";
import type { ProviderContext } from "../context.ts";
import { BufferPool } from "../store/buffer-pool.ts";
import type { CellReader } from "../store/cell-reader.ts";
import { uploadIdOf } from "../store/slot-record.ts";
import type { BulkRequest, BulkRoute } from "./bulk.ts";
import { Gate } from "./gate.ts";
import { type ProviderLimits, READ_BYTES_MAX, READ_WINDOW_BYTES } from "./limits.ts";
import { parseDealId, parseNumber } from "./parse.ts";
import { TicketDesk } from "./tickets.ts";

const BUFFERS_KEPT_MAX = 8;
/** Before each part's siblings. */
const SIBLING_COUNT_BYTES = 2;

interface Range {
  readonly uploadId: string;
  readonly dealId: string;
  readonly owner: string;
  readonly slotIndex: number;
  readonly header: DealHeader;
  readonly offset: number;
  readonly length: number;
  readonly firstCell: number;
  readonly cellCount: number;
}

export function readRoute(context: ProviderContext, limits: ProviderLimits): BulkRoute {
  const gate = new Gate(limits.readBufferBytes, limits.waitingMax);
  const buffers = new BufferPool(CELL_BYTES_MAX, BUFFERS_KEPT_MAX);
  const tickets = new TicketDesk(context);
  const handle = async ({ request, response, params, query }: BulkRequest): Promise<void> => {
    const range = parseRange(context, params, query);
    const { header, cellCount } = range;
    const audienceSignature = request.headers["ppio-audience-signature"];
    tickets.check(
      {
        authorization: request.headers.authorization,
        audienceSignature: typeof audienceSignature === "string" ? audienceSignature : undefined,
      },
      range,
    );
    const windowBytes = Math.min(Math.max(READ_WINDOW_BYTES, header.cellBytes), cellCount * header.cellBytes);
    await context.bandwidth.upload.take(range.length);
    await gate.run(windowBytes, () =>
      buffers.lend((buffer) => answer(context, response, range, { buffer: buffer.subarray(0, windowBytes), stallMs: limits.stallMs })),
    );
  };
  return { method: "GET", path: /^\/v1\/deals\/([^/]+)\/slots\/([^/]+)$/, handle };
}

/** @throws BAD_FORMAT, TOO_LARGE, NOT_FOUND */
function parseRange(context: ProviderContext, [deal, slot]: BulkRequest["params"], query: BulkRequest["query"]): Range {
  const dealId = parseDealId(deal);
  const slotIndex = parseNumber(slot, "slot");
  const offset = parseNumber(query("offset"), "offset");
  const length = parseNumber(query("length"), "length");
  const uploadId = uploadIdOf(dealId, slotIndex);
  const found = context.store.find(uploadId);
  if (found === undefined || found.meta.state !== "sealed") throw new PpioError("NOT_FOUND", "This provider does not hold that slot.");
  const {
    header,
    meta: { owner },
  } = found;
  if (offset % UNIT_BYTES !== 0 || length % UNIT_BYTES !== 0 || length === 0 || offset + length > slotBytes(header)) {
    throw new PpioError("BAD_FORMAT", `A read is a positive multiple of ${UNIT_BYTES} bytes inside the slot's ${slotBytes(header)}.`);
  }
  if (length > READ_BYTES_MAX) throw new PpioError("TOO_LARGE", `A read is at most ${READ_BYTES_MAX} bytes; ask for less at a time.`);
  const firstCell = Math.floor(offset / header.cellBytes);
  const cellCount = Math.floor((offset + length - 1) / header.cellBytes) - firstCell + 1;
  return { uploadId, dealId, owner, slotIndex, header, offset, length, firstCell, cellCount };
}

interface AnswerOptions {
  /** Holds one cell at least; `write` returns once its bytes are out of our hands. */
  readonly buffer: Uint8Array;
  readonly stallMs: number;
}

async function answer(context: ProviderContext, response: ServerResponse, range: Range, options: AnswerOptions): Promise<void> {
  const { header, firstCell, cellCount, uploadId } = range;
  const { buffer, stallMs } = options;
  const end = firstCell + cellCount;
  const cellsAtOnce = Math.floor(buffer.length / header.cellBytes);
  const reader = await counted(context, context.store.openCells(uploadId));
  try {
    const read = (row: number): Promise<Uint8Array> =>
      counted(context, reader.read(row, Math.min(cellsAtOnce, end - row), buffer, "serving"));
    // The first cells are read before the head leaves, so that common damage becomes a clear status; and while it is signed.
    const firstRead = read(firstCell);
    firstRead.catch(() => undefined);
    const head = signedHead(context, range, reader);
    let cells = await firstRead;
    const bytes = head.length + partBytes(range);
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes });
    for (let row = firstCell; ; cells = await read(row)) {
      const parts = partsOf(range, row, cells);
      await write(response, stallMs, row === firstCell ? [head, ...parts.pieces] : parts.pieces);
      context.metrics.add("ppio_served_bytes_total", parts.bytes);
      row += Math.ceil(cells.length / header.cellBytes);
      if (row === end) break;
    }
    response.end();
  } finally {
    await reader.close();
  }
}

async function counted<T>(context: ProviderContext, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isPpioError(error, "CORRUPT")) context.metrics.add("ppio_corrupt_cells_total", 1);
    throw error;
  }
}

function signedHead({ domain, now, operator }: ProviderContext, range: Range, { tree }: CellReader): Uint8Array {
  const { dealId, slotIndex, firstCell, cellCount, header } = range;
  const cellRoots = Array.from({ length: cellCount }, (_, index) =>
    tree.roots.subarray((firstCell + index) * NODE_BYTES, (firstCell + index + 1) * NODE_BYTES),
  );
  const siblings = cellRunProofOf(header, tree.levels, firstCell, cellCount);
  const servedAt = now();
  const digest = readAnswerMessage.digest(domain, {
    dealId,
    slotIndex,
    firstCell,
    rootsHash: answerRootsHash(cellRoots, siblings),
    servedAt,
  });
  const signature = getBytes(operator.signingKey.sign(digest).serialized);
  return encodeAnswerHead({ cellRoots, siblings, servedAt, signature });
}

/** Where the range begins and ends in the cell of `row`. */
function partOf({ header, offset, length }: Range, row: number): { readonly from: number; readonly to: number } {
  const start = row * header.cellBytes;
  return { from: Math.max(offset - start, 0), to: Math.min(offset + length - start, cellLength(header, row)) };
}

/** All parts, each with its siblings and their number. */
function partBytes(range: Range): number {
  let siblings = 0;
  for (let row = range.firstCell; row < range.firstCell + range.cellCount; row += 1) {
    const { from, to } = partOf(range, row);
    siblings += cellPartProofLength(range.header, row, from, to - from);
  }
  return range.length + NODE_BYTES * siblings + SIBLING_COUNT_BYTES * range.cellCount;
}

/** What was asked for of neighbouring cells from `firstRow` on, each part behind its siblings. */
function partsOf(range: Range, firstRow: number, cells: Uint8Array): { pieces: Uint8Array[]; bytes: number } {
  const { header } = range;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (let at = 0, row = firstRow; at < cells.length; at += header.cellBytes, row += 1) {
    const cell = cells.subarray(at, at + cellLength(header, row));
    const { from, to } = partOf(range, row);
    pieces.push(encodeCellSiblings(cellPartProof(header, cell, from, to - from)), cell.subarray(from, to));
    bytes += to - from;
  }
  return { pieces, bytes };
}

/** Waits until the system has taken the pieces, so that no more than a window lies in memory; a reader that takes nothing is given up. */
function write(response: ServerResponse, stallMs: number, pieces: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      stop();
      // At once: the pieces lie in a buffer that the next reader gets.
      response.destroy();
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
    const taken = (): void => {
      stop();
      resolve();
    };
    // Node hands all that is written in one turn to the system in one call.
    pieces.forEach((piece, index) => {
      if (index < pieces.length - 1) response.write(piece);
      else response.write(piece, taken);
    });
  });
}
