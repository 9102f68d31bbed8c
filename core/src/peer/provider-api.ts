/** One provider's HTTP API (docs/protocol/http.md) as functions; errors come back as the family's codes. */
import { ERROR_CODES, type ErrorCode, PpioError } from "../errors.ts";
import type {
  DialbackBody,
  DialbackReport,
  ErrorBody,
  FinishUploadBody,
  OfferBody,
  OpenUploadBody,
  ProviderInfo,
  UploadState,
} from "../wire/api.ts";
import { VOUCHER_HEADER } from "../wire/payment.ts";
import { type AnswerReader, answerReader, linesOf, readAll } from "./body.ts";
import type { ResponseBody, Transport, TransportRequest, TransportResponse } from "./transport.ts";

const JSON_BYTES_MAX = 64 * 1024;

export interface ReadRequest {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly offset: number;
  readonly length: number;
  /** Value of the `authorization` header. */
  readonly authorization: string;
  /** Value of the `ppio-voucher` header, for a provider that wants to be paid. */
  readonly voucher?: string;
  /**
   * Whether the reader finds out by itself what is damaged, so that the provider need not hash what it sends. Who says so and finds
   * damage asks again without it: then the provider learns of it, too.
   */
  readonly isCheckedByReader?: boolean;
}

/** A body on its way, and what the provider tells of it meanwhile. */
export interface UploadStream {
  /** After every step, and at the end. Fails as a request does. */
  readonly states: AsyncIterable<UploadState>;
  /** Resolves once the bytes have left this process, and may be changed; never when the request fails before. */
  write(bytes: Uint8Array): Promise<void>;
  end(): void;
}

export interface ProviderApi {
  info(signal?: AbortSignal): Promise<ProviderInfo>;
  openUpload(body: OpenUploadBody, signal?: AbortSignal): Promise<UploadState>;
  uploadState(uploadId: string, signal?: AbortSignal): Promise<UploadState>;
  putBytes(uploadId: string, offset: number, bytes: Uint8Array, signal?: AbortSignal): Promise<UploadState>;
  /** Bytes from `offset` on that come bit by bit, told of whenever `stepBytes` of the slot are full. Left out where the transport cannot. */
  streamBytes?(uploadId: string, offset: number, stepBytes: number, signal: AbortSignal): UploadStream;
  finishUpload(uploadId: string, body: FinishUploadBody, signal?: AbortSignal): Promise<OfferBody>;
  /** Forgets an upload that is not dealt. */
  dropUpload(uploadId: string, body: OpenUploadBody, signal?: AbortSignal): Promise<void>;
  readSlot(request: ReadRequest, signal?: AbortSignal): Promise<AnswerReader>;
  /** Asks the provider to connect back to the asking one's endpoint. */
  dialback(body: DialbackBody, signal?: AbortSignal): Promise<DialbackReport>;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERROR_CODES, code);
}

async function errorOf(status: number, body: AsyncIterable<Uint8Array>, origin: string): Promise<PpioError> {
  const text = await readAll(body, JSON_BYTES_MAX).then(
    (bytes) => new TextDecoder().decode(bytes),
    () => "",
  );
  let parsed: Partial<ErrorBody>;
  try {
    parsed = JSON.parse(text) as Partial<ErrorBody>;
  } catch {
    parsed = {};
  }
  return errorIn(parsed, status, origin);
}

function errorIn({ error }: Partial<ErrorBody>, status: number, origin: string): PpioError {
  const code = error?.code;
  const message = error?.message;
  return new PpioError(isErrorCode(code) ? code : "NETWORK", `${origin} answered ${status}: ${message ?? "no reason given"}`, {
    details: { ...error?.details, status, ...(message === undefined ? {} : { said: message }) },
  });
}

export function createProviderApi(endpoint: string, transport: Transport): ProviderApi {
  const base = endpoint.replace(/\/+$/, "");

  const send = async (request: Omit<TransportRequest, "url">, path: string): Promise<ResponseBody> => {
    const { status, body } = await transport.request({ ...request, url: `${base}${path}` });
    if (status >= 200 && status < 300) return body;
    throw await errorOf(status, body, base);
  };

  /** Lines of an answer, as they come. */
  async function* statesOf(answer: Promise<TransportResponse>): AsyncGenerator<UploadState> {
    const { status, body } = await answer;
    if (status < 200 || status >= 300) throw await errorOf(status, body, base);
    for await (const line of linesOf(body, JSON_BYTES_MAX)) {
      let told: UploadState & Partial<ErrorBody>;
      try {
        told = JSON.parse(line) as UploadState & Partial<ErrorBody>;
      } catch (cause) {
        throw new PpioError("BAD_FORMAT", `${base} answered with something that is not JSON.`, { cause });
      }
      const code = told.error?.code;
      if (told.error !== undefined) throw errorIn(told, isErrorCode(code) ? ERROR_CODES[code].http : status, base);
      yield told;
    }
  }

  const { stream } = transport;
  const streamBytes: ProviderApi["streamBytes"] =
    stream === undefined
      ? undefined
      : (uploadId, offset, stepBytes, signal) => {
          const url = `${base}/v1/uploads/${uploadId}?offset=${offset}&step=${stepBytes}`;
          const { response, write, end } = stream({ method: "PUT", url, headers: { "content-type": "application/octet-stream" }, signal });
          return { states: statesOf(response), write, end };
        };

  const json = async <T>(
    method: TransportRequest["method"],
    path: string,
    payload: unknown,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    const body = await send(
      {
        method,
        ...(payload === undefined
          ? {}
          : { body: new TextEncoder().encode(JSON.stringify(payload)), headers: { "content-type": "application/json" } }),
        ...(signal === undefined ? {} : { signal }),
      },
      path,
    );
    const text = new TextDecoder().decode(await readAll(body, JSON_BYTES_MAX));
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new PpioError("BAD_FORMAT", `${base} answered with something that is not JSON.`, { cause });
    }
  };

  return {
    ...(streamBytes === undefined ? {} : { streamBytes }),
    info: (signal) => json("GET", "/v1/info", undefined, signal),
    openUpload: (body, signal) => json("POST", "/v1/uploads", body, signal),
    uploadState: (uploadId, signal) => json("GET", `/v1/uploads/${uploadId}`, undefined, signal),
    async putBytes(uploadId, offset, bytes, signal) {
      const headers = { "content-type": "application/octet-stream" };
      const body = await send(
        { method: "PUT", body: bytes, headers, ...(signal === undefined ? {} : { signal }) },
        `/v1/uploads/${uploadId}?offset=${offset}`,
      );
      return JSON.parse(new TextDecoder().decode(await readAll(body, JSON_BYTES_MAX))) as UploadState;
    },
    finishUpload: (uploadId, body, signal) => json("POST", `/v1/uploads/${uploadId}/finish`, body, signal),
    async dropUpload(uploadId, body, signal) {
      const payload = new TextEncoder().encode(JSON.stringify(body));
      const headers = { "content-type": "application/json" };
      const request = { method: "DELETE", body: payload, headers, ...(signal === undefined ? {} : { signal }) } as const;
      await readAll(await send(request, `/v1/uploads/${uploadId}`), JSON_BYTES_MAX);
    },
    dialback: (body, signal) => json("POST", "/v1/dialback", body, signal),
    async readSlot({ dealId, slotIndex, offset, length, authorization, voucher, isCheckedByReader }, signal) {
      const check = isCheckedByReader ? "&check=reader" : "";
      const path = `/v1/deals/${dealId}/slots/${slotIndex}?offset=${offset}&length=${length}${check}`;
      const headers = { authorization, ...(voucher === undefined ? {} : { [VOUCHER_HEADER]: voucher }) };
      return answerReader(await send({ method: "GET", headers, ...(signal === undefined ? {} : { signal }) }, path));
    },
  };
}

/** Failures after which the same request to the same provider may succeed: the wire failed, not the provider's judgement. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof PpioError)) return true;
  if (error.code === "NETWORK" || error.code === "TIMEOUT" || error.code === "TRUNCATED" || error.code === "CONFLICT") return true;
  const status = error.details["status"];
  return typeof status === "number" && status >= 500 && status !== 507;
}
