/** Range reads: every cell is checked before a byte of it leaves, unless its reader checks it; the answer's head is signed. */
import type { ServerResponse } from "node:http";
import {
  answerRootsHash,
  cellRunProofOf,
  type DigestSigner,
  digestSigner,
  encodeAnswerHead,
  isPpioError,
  NODE_BYTES,
  PpioError,
  readAnswerMessage,
  slotBytes,
  UNIT_BYTES,
  VOUCHER_HEADER,
} from "@ppio/core";
import type { ProviderContext } from "../context.ts";
import type { PaymentDesk } from "../pay/desk.ts";
import type { CellReader } from "../store/cell-reader.ts";
import { uploadIdOf } from "../store/slot-record.ts";
import type { BulkRequest, BulkRoute } from "./bulk.ts";
import { type ProviderLimits, READ_BYTES_MAX, READ_WINDOW_BYTES } from "./limits.ts";
import { parseDealId, parseNumber } from "./parse.ts";
import { ReadBuffers } from "./read-buffers.ts";
import { partBytes, ReadWindow, type SlotRange } from "./read-window.ts";
import { send } from "./send.ts";
import { TicketDesk } from "./tickets.ts";

/** Who takes a window within this is sent larger ones. */
const QUICK_MS = 250;
/** Grown by so much at a time. */
const WINDOW_GROWTH = 4;

interface Range extends SlotRange {
  readonly uploadId: string;
  readonly dealId: string;
  readonly owner: string;
  readonly slotIndex: number;
  /** By the reader, otherwise. */
  readonly isCheckedHere: boolean;
}

export function readRoute(context: ProviderContext, limits: ProviderLimits, payments?: PaymentDesk): BulkRoute {
  const buffers = new ReadBuffers(limits);
  const tickets = new TicketDesk(context);
  const sign = digestSigner(context.operator.privateKey);
  const { stallMs } = limits;
  const handle = async ({ request, response, params, query }: BulkRequest): Promise<void> => {
    const range = parseRange(context, params, query);
    const { header, cellCount } = range;
    const audienceSignature = request.headers["ppio-audience-signature"];
    const voucher = request.headers[VOUCHER_HEADER];
    const shown = { voucher: typeof voucher === "string" ? voucher : undefined, from: request.socket.remoteAddress ?? "" };
    const charge = await tickets.check(
      {
        authorization: request.headers.authorization,
        audienceSignature: typeof audienceSignature === "string" ? audienceSignature : undefined,
      },
      range,
      () => payments?.charge(shown, range.length),
    );
    try {
      await context.bandwidth.upload.take(range.length);
      await buffers.lend(header.cellBytes, cellCount, (buffer, cellsMax) =>
        answer(context, response, range, { window: new ReadWindow(buffer, range), cellsMax, stallMs, sign }),
      );
    } catch (error) {
      // What was not begun, and what turned out to be damaged, is not to be paid.
      if (!response.headersSent || isPpioError(error, "CORRUPT")) charge?.refund();
      throw error;
    }
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
  return { uploadId, dealId, owner, slotIndex, header, offset, length, firstCell, cellCount, isCheckedHere: parseCheck(query("check")) };
}

/** Whether the provider is to check what it sends. @throws BAD_FORMAT */
function parseCheck(check: string | undefined): boolean {
  if (check !== undefined && check !== "reader" && check !== "provider") {
    throw new PpioError("BAD_FORMAT", 'Who checks what is read is "reader" or "provider".');
  }
  return check !== "reader";
}

interface AnswerOptions {
  readonly window: ReadWindow;
  /** How many cells it holds, one at least. */
  readonly cellsMax: number;
  readonly stallMs: number;
  readonly sign: DigestSigner;
}

async function answer(context: ProviderContext, response: ServerResponse, range: Range, options: AnswerOptions): Promise<void> {
  const { header, firstCell, cellCount, uploadId, isCheckedHere } = range;
  const { window, cellsMax, stallMs, sign } = options;
  const end = firstCell + cellCount;
  const least = Math.min(cellsMax, Math.max(1, Math.floor(READ_WINDOW_BYTES / header.cellBytes)));
  const reader = await counted(context, context.store.openCells(uploadId));
  try {
    let cellsAtOnce = least;
    const read = async (row: number): Promise<readonly Uint8Array[]> => {
      const cells = window.cells(row, Math.min(cellsAtOnce, end - row));
      return cells.slice(0, await counted(context, isCheckedHere ? reader.read(row, cells) : reader.readUnchecked(row, cells)));
    };
    // The first cells are read before the head leaves, so that common damage becomes a clear status; and while it is signed.
    const firstRead = read(firstCell);
    firstRead.catch(() => undefined);
    const head = signedHead(context, range, reader, sign);
    let cells = await firstRead;
    const bytes = head.length + partBytes(range);
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes });
    for (let row = firstCell; ; cells = await read(row)) {
      const parts = window.pieces(row, cells);
      const since = performance.now();
      await send(response, stallMs, row === firstCell ? [head, ...parts.pieces] : parts.pieces);
      cellsAtOnce = performance.now() - since < QUICK_MS ? Math.min(cellsMax, cellsAtOnce * WINDOW_GROWTH) : least;
      context.metrics.add("ppio_served_bytes_total", parts.bytes);
      row += cells.length;
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

function signedHead({ domain, now }: ProviderContext, range: Range, { tree }: CellReader, sign: DigestSigner): Uint8Array {
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
  return encodeAnswerHead({ cellRoots, siblings, servedAt, signature: sign(digest) });
}
