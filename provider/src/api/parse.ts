/** Strict reading of what strangers send. */

import {
  type DialbackBody,
  type FinishHandOverBody,
  type FinishUploadBody,
  type HandOverBody,
  type OpenUploadBody,
  PpioError,
  REPAIR_SCHEME,
  type ReadTicket,
  type RepairTicketEnvelope,
  TICKET_SCHEME,
  type TicketEnvelope,
} from "@ppio/core";
import { getAddress, isAddress, isHexString } from "ethers";

function bad(field: string): PpioError {
  return new PpioError("BAD_FORMAT", `The request's "${field}" is missing or malformed.`, { details: { field } });
}

type Fields = Readonly<Record<string, unknown>>;

function object(value: unknown, field: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(field);
  return value as Fields;
}

function integer(fields: Fields, field: string, max: number): number {
  const value = fields[field];
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max) throw bad(field);
  return value as number;
}

function address(fields: Fields, field: string): string {
  const value = fields[field];
  if (!isAddress(value)) throw bad(field);
  return getAddress(value);
}

function hex(fields: Fields, field: string, bytes?: number): string {
  const value = fields[field];
  if (!isHexString(value, bytes)) throw bad(field);
  return value;
}

function optionalWei(fields: Fields, field: string): string | undefined {
  const value = fields[field];
  if (value !== undefined && (typeof value !== "string" || !/^\d{1,30}$/.test(value))) throw bad(field);
  return value;
}

const U32 = 0xffffffff;

export function parseOpenUpload(body: unknown): OpenUploadBody {
  const fields = object(body, "body");
  const request = object(fields["request"], "request");
  return {
    request: {
      providerId: integer(request, "providerId", U32),
      owner: address(request, "owner"),
      payer: address(request, "payer"),
      dealSalt: hex(request, "dealSalt", 32),
      slotIndex: integer(request, "slotIndex", 255),
      k: integer(request, "k", 255),
      n: integer(request, "n", 255),
      headerHash: hex(request, "headerHash", 32),
      expiry: integer(request, "expiry", Number.MAX_SAFE_INTEGER),
    },
    signature: hex(fields, "signature"),
    header: hex(fields, "header"),
  };
}

export function parseFinishUpload(body: unknown): FinishUploadBody {
  const fields = object(body, "body");
  const pay = optionalWei(fields, "payPerPeriodWei");
  const collateral = optionalWei(fields, "minCollateralWei");
  return {
    root: hex(fields, "root", 32),
    startBy: integer(fields, "startBy", U32),
    periods: integer(fields, "periods", U32),
    renewUntil: integer(fields, "renewUntil", U32),
    ...(pay === undefined ? {} : { payPerPeriodWei: pay }),
    ...(collateral === undefined ? {} : { minCollateralWei: collateral }),
  };
}

export function parseHandOver(body: unknown): HandOverBody {
  const fields = object(body, "body");
  const request = object(fields["request"], "request");
  return {
    request: {
      dealId: hex(request, "dealId", 32).toLowerCase(),
      slotIndex: integer(request, "slotIndex", 255),
      fromProviderId: integer(request, "fromProviderId", U32),
      toProviderId: integer(request, "toProviderId", U32),
      expiry: integer(request, "expiry", Number.MAX_SAFE_INTEGER),
    },
    signature: hex(fields, "signature"),
    dealSalt: hex(fields, "dealSalt", 32),
  };
}

export function parseFinishHandOver(body: unknown): FinishHandOverBody {
  return { ...parseHandOver(body), startBy: integer(object(body, "body"), "startBy", U32) };
}

export function parseDialback(body: unknown): DialbackBody {
  const fields = object(body, "body");
  const request = object(fields["request"], "request");
  return {
    request: {
      providerId: integer(request, "providerId", U32),
      helperId: integer(request, "helperId", U32),
      nonce: parseHash(request["nonce"], "nonce"),
      expiry: integer(request, "expiry", Number.MAX_SAFE_INTEGER),
    },
    signature: hex(fields, "signature"),
  };
}

const TICKET_CHARS_MAX = 4096;

/** @throws UNAUTHORIZED without a well-formed ticket */
export function parseTicket(header: string | undefined): TicketEnvelope {
  return parseEnvelope(
    header,
    TICKET_SCHEME,
    (fields): ReadTicket => ({
      dealId: hex(fields, "dealId", 32),
      firstCell: integer(fields, "firstCell", Number.MAX_SAFE_INTEGER),
      cellCount: integer(fields, "cellCount", Number.MAX_SAFE_INTEGER),
      audience: address(fields, "audience"),
      expiry: integer(fields, "expiry", Number.MAX_SAFE_INTEGER),
      nonce: hex(fields, "nonce", 32),
    }),
  );
}

/** @throws UNAUTHORIZED without a well-formed ticket */
export function parseRepairTicket(header: string): RepairTicketEnvelope {
  return parseEnvelope(header, REPAIR_SCHEME, (fields) => ({
    providerId: integer(fields, "providerId", U32),
    dealId: hex(fields, "dealId", 32),
    slotIndex: integer(fields, "slotIndex", 255),
    expiry: integer(fields, "expiry", Number.MAX_SAFE_INTEGER),
  }));
}

function parseEnvelope<T>(header: string | undefined, scheme: string, parse: (fields: Fields) => T): { ticket: T; signature: string } {
  const refuse = (cause?: unknown): PpioError =>
    new PpioError("UNAUTHORIZED", "Reading needs a ticket by the deal's owner in the authorization header.", { cause });
  if (header === undefined || !header.startsWith(scheme) || header.length > TICKET_CHARS_MAX) throw refuse();
  try {
    const text = Buffer.from(header.slice(scheme.length), "base64url").toString("utf8");
    const envelope = object(JSON.parse(text), "ticket");
    return { ticket: parse(object(envelope["ticket"], "ticket")), signature: hex(envelope, "signature") };
  } catch (cause) {
    throw refuse(cause);
  }
}

export function parseDealId(text: string | undefined): string {
  return parseHash(text, "dealId");
}

/** 32 bytes, in lower case. */
export function parseHash(text: unknown, field: string): string {
  if (!isHexString(text, 32)) throw bad(field);
  return text.toLowerCase();
}

/** A whole number out of a path or a query. */
export function parseNumber(text: unknown, field: string): number {
  if (typeof text !== "string" || !/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text))) throw bad(field);
  return Number(text);
}
