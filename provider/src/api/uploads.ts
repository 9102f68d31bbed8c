/** Taking slots in: who may upload, how far an upload is, and the offer at the end (docs/protocol/http.md). */

import type { IncomingMessage } from "node:http";
import {
  dealHeaderHash,
  dealIdOf,
  decodeDealHeader,
  type FinishUploadBody,
  type OpenUploadBody,
  PpioError,
  payForSlot,
  slotBytes,
  UPLOAD_STEP_BYTES_MIN,
  type UploadState,
} from "@ppio/core";
import { BODY_WAITING_BYTES_MAX, type ByteSource, endWithFailure, RequestBody } from "@ppio/daemon";
import { getBytes } from "ethers";
import type { Express, Request } from "express";
import { askChain } from "../ask-chain.ts";
import type { ProviderContext } from "../context.ts";
import { ReservationBook } from "../repair/reservation-book.ts";
import { DEAL_ACTIVE } from "../slot-status.ts";
import { type SlotMeta, uploadIdOf } from "../store/slot-record.ts";
import { BATCHES_HELD, WRITE_BATCH_BYTES } from "../store/slot-writer.ts";
import { answerJson, type BulkRequest, type BulkRoute } from "./bulk.ts";
import { Gate } from "./gate.ts";
import type { ProviderLimits } from "./limits.ts";
import { checkBalance, type OfferDesk } from "./offers.ts";
import { parseFinishUpload, parseNumber, parseOpenUpload } from "./parse.ts";
import { SteppedBody } from "./stepped-body.ts";
import { checkUploadRequest } from "./upload-authority.ts";

/** What one body that comes in holds in memory at most, however long it is. */
const BODY_BYTES_MAX = BATCHES_HELD * WRITE_BATCH_BYTES;

export function addUploadRoutes(app: Express, context: ProviderContext, offers: OfferDesk, finishes: Gate): void {
  const reservations = new ReservationBook(context);
  app.post("/v1/uploads", async (request, response) => {
    response.json(await openUpload(context, reservations, parseOpenUpload(request.body)));
  });
  app.get("/v1/uploads/:id", (request, response) => {
    response.json(stateOf(context, request.params.id));
  });
  app.post("/v1/uploads/:id/finish", async (request, response) => {
    const body = parseFinishUpload(request.body);
    context.pricing.checkPeriods(body.periods);
    checkTerms(context, body);
    stateOf(context, request.params.id);
    const meta = await finishes.run(1, () => context.store.check(request.params.id, body.root));
    response.json(await offers.make(meta, body));
  });
  app.delete("/v1/uploads/:id", async (request: Request<{ id: string }>, response) => {
    await deleteUpload(context, reservations, request.params.id, parseOpenUpload(request.body));
    response.status(204).end();
  });
}

/** Takes bytes in. */
export function appendRoute(context: ProviderContext, limits: ProviderLimits): BulkRoute {
  const uploads = new Gate(limits.uploadBufferBytes, limits.waitingMax);
  const handle = async (bulk: BulkRequest): Promise<void> => {
    const {
      request,
      response,
      params: [id = ""],
      query,
    } = bulk;
    const offset = parseNumber(query("offset"), "offset");
    // An unknown upload must not wait for a place.
    const before = stateOf(context, id).receivedBytes;
    if (query("step") !== undefined) return appendInSteps(context, limits, uploads, bulk, id, offset);
    const told = request.headers["content-length"];
    const announced = Number(told ?? 0);
    const heldBytes = Math.min(Number(told ?? BODY_BYTES_MAX), BODY_BYTES_MAX) + BODY_WAITING_BYTES_MAX;
    await context.bandwidth.download.take(announced);
    try {
      await uploads.run(heldBytes, () => appendAll(context, limits, request, id, offset));
    } finally {
      const taken = Math.max(0, (context.store.find(id)?.receivedBytes ?? 0) - before);
      context.metrics.add("ppio_uploaded_bytes_total", taken);
      // A body that did not tell its length is paid for by those after it.
      context.bandwidth.download.owe(Math.max(0, taken - announced));
    }
    answerJson(response, stateOf(context, id));
  };
  return { method: "PUT", path: /^\/v1\/uploads\/([^/]+)$/, handle };
}

async function appendAll(context: ProviderContext, limits: ProviderLimits, request: IncomingMessage, id: string, offset: number) {
  const body = new RequestBody(request, limits.stallMs);
  try {
    await context.store.append(id, offset, body);
  } finally {
    body.release();
  }
}

/** A body of any length, told of while it comes; a line for every step. */
async function appendInSteps(
  context: ProviderContext,
  limits: ProviderLimits,
  gate: Gate,
  { request, response, query }: BulkRequest,
  id: string,
  offset: number,
): Promise<void> {
  const { store, bandwidth, metrics } = context;
  const stepBytes = parseNumber(query("step"), "step");
  if (stepBytes < UPLOAD_STEP_BYTES_MIN || stepBytes > WRITE_BATCH_BYTES) {
    throw new PpioError("BAD_FORMAT", `A step has ${UPLOAD_STEP_BYTES_MIN} to ${WRITE_BATCH_BYTES} bytes.`);
  }
  const tell = (): void => {
    if (!response.headersSent) response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.write(`${JSON.stringify(stateOf(context, id))}\n`);
  };
  let taken = 0;
  const onWritten = (receivedBytes: number): void => {
    metrics.add("ppio_uploaded_bytes_total", receivedBytes - offset - taken);
    taken = receivedBytes - offset;
    tell();
  };
  const heldBytes = BATCHES_HELD * stepBytes + BODY_WAITING_BYTES_MAX;
  // Until it has a place, node:http holds the sender back.
  let incoming: RequestBody | undefined;
  const opened = (): RequestBody => {
    incoming ??= new RequestBody(request, limits.stallMs);
    return incoming;
  };
  const source: ByteSource = { more: () => opened().more(), fill: (target) => opened().fill(target) };
  const body = new SteppedBody(source, {
    offset,
    stepBytes,
    beforeStep: (bytes) => bandwidth.download.take(bytes),
    gate,
  });
  try {
    let at = offset;
    do at = await gate.run(heldBytes, () => store.append(id, at, body.steps(), { stepBytes, onWritten }));
    while (await body.more());
    if (taken === 0) tell();
    response.end();
  } catch (error) {
    if (!response.headersSent) throw error;
    endWithFailure(context.log, request, response, error);
  } finally {
    incoming?.release();
  }
}

export function stateOf(context: ProviderContext, uploadId: string): UploadState {
  const found = context.store.find(uploadId);
  if (found === undefined) throw new PpioError("NOT_FOUND", "There is no such upload here; open it first.");
  return { uploadId, receivedBytes: found.receivedBytes, slotBytes: slotBytes(found.header), stepBytesMax: WRITE_BATCH_BYTES };
}

async function openUpload(context: ProviderContext, reservations: ReservationBook, body: OpenUploadBody): Promise<UploadState> {
  const reservation = await checkUploadRequest(context, reservations, body);
  const { request } = body;
  const header = decodeDealHeader(getBytes(body.header));
  if (dealHeaderHash(header) !== request.headerHash || header.k !== request.k || header.n !== request.n || request.slotIndex >= header.n) {
    throw new PpioError("BAD_FORMAT", "The deal header does not fit the signed request.");
  }
  const dealId = dealIdOf(context.domain, request.owner, request.dealSalt);
  const uploadId = uploadIdOf(dealId, request.slotIndex);
  const known = context.store.find(uploadId);
  if (known !== undefined) {
    if (dealHeaderHash(known.header) === request.headerHash) {
      // Reserved anew: what the one before brought is used again.
      if (reservation !== undefined && context.reserved.endsAt(uploadId) !== undefined) context.reserved.note(uploadId, reservation.until);
      return stateOf(context, uploadId);
    }
    throw new PpioError("CONFLICT", "This slot was begun with another deal header; use a new deal salt.", { retry: "never" });
  }
  context.admission.check();
  context.pricing.checkPayer(request.payer);
  if (reservation === undefined) checkQuota(context, request.payer, slotBytes(header));
  const { market, token } = context.chain;
  const [{ status }, balanceWei] = await askChain(() => Promise.all([market.deal(dealId), token.balanceOf(request.payer)]));
  // A slot of an open deal is paid out of its escrow already: a repair needs no balance.
  if (status !== DEAL_ACTIVE) checkBalance(request.payer, balanceWei, payForSlot(context.pricing.askedWei, slotBytes(header)));
  const meta: SlotMeta = {
    version: 1,
    uploadId,
    dealId,
    dealSalt: request.dealSalt,
    slotIndex: request.slotIndex,
    owner: request.owner,
    payer: request.payer,
    header: body.header,
    state: "receiving",
    root: null,
    createdAt: context.now(),
    offeredUntil: 0,
  };
  await context.store.create(meta);
  context.reserved.forget(uploadId);
  if (reservation !== undefined) context.reserved.note(uploadId, reservation.until);
  context.log.info("upload opened", { uploadId, dealId, slotIndex: request.slotIndex, bytes: slotBytes(header) });
  return stateOf(context, uploadId);
}

/** Bytes without a deal are bounded per payer, finished ones included; what repairers bring is bounded by their reservations. */
export function checkQuota(context: ProviderContext, payer: string, bytes: number): void {
  const undealt = context.store.undealtBytes(payer, (uploadId) => context.reserved.isOpen(uploadId));
  if (undealt + bytes > context.config.undealtBytesPerPayer) {
    throw new PpioError("REFUSED", "This payer has too many uploads without a deal here; open deals or wait.");
  }
}

function checkTerms({ config }: ProviderContext, body: FinishUploadBody): void {
  if (body.renewUntil > body.startBy + config.periodsMax) {
    throw new PpioError("REFUSED", `This provider holds its price for at most ${config.periodsMax} periods.`);
  }
}

/** Only who may upload it may, and only while no offer is out. */
async function deleteUpload(
  context: ProviderContext,
  reservations: ReservationBook,
  uploadId: string,
  open: OpenUploadBody,
): Promise<void> {
  await checkUploadRequest(context, reservations, open);
  const found = context.store.find(uploadId);
  const dealId = dealIdOf(context.domain, open.request.owner, open.request.dealSalt);
  if (found === undefined || uploadIdOf(dealId, open.request.slotIndex) !== uploadId)
    throw new PpioError("NOT_FOUND", "There is no such upload here.");
  if (found.meta.offeredUntil > 0)
    throw new PpioError("CONFLICT", "An offer for this slot is out; it is dropped by itself when nobody uses it.", { retry: "never" });
  await context.store.drop(uploadId);
  context.reserved.forget(uploadId);
}
