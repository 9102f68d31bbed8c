/**
 * How reads are paid over HTTP (docs/protocol/vouchers.md, "Over HTTP"): the terms that a provider announces, the voucher that a reader
 * sends with a read, and what a provider says of a stream when it asks for more.
 */
import { decodeBase64, encodeBase64, getAddress, isAddress, isHexString } from "ethers";
import { PpioError } from "../errors.ts";

/** Header of a read that carries a voucher. */
export const VOUCHER_HEADER = "ppio-voucher";
/** Of the header's value; a voucher as it is made has about 400. */
export const VOUCHER_CHARS_MAX = 1_024;
/** What a payee gives on credit, and what a payer pays ahead of the bytes, unless they say otherwise. */
export const CREDIT_BYTES_DEFAULT = 1 << 20;

const GIB_BYTES = 1n << 30n;
const WEI_MAX = (1n << 96n) - 1n;

/** What a read costs: its bytes of the slot, heads and siblings not counted, at the price per GiB, rounded up to the wei. Each read by itself. */
export function readCostWei(pricePerGibWei: bigint, bytes: number): bigint {
  return (pricePerGibWei * BigInt(bytes) + GIB_BYTES - 1n) / GIB_BYTES;
}

/** On what terms a provider serves reads. */
export interface ReadTerms {
  readonly pricePerGibWei: bigint;
  /** Who is paid: the provider's owner. */
  readonly payee: string;
  /** The BandwidthEscrow. */
  readonly escrow: string;
  /** How far what was served may be above what was paid, in bytes at this price. */
  readonly creditBytes: number;
}

/** `ReadTerms` as JSON. */
export interface ReadTermsBody {
  readonly pricePerGibWei: string;
  readonly payee: string;
  readonly escrow: string;
  readonly creditBytes: number;
}

export function readTermsBody({ pricePerGibWei, payee, escrow, creditBytes }: ReadTerms): ReadTermsBody {
  return { pricePerGibWei: String(pricePerGibWei), payee, escrow, creditBytes };
}

/** A voucher on its way, with the price that its sender reckons with. */
export interface VoucherEnvelope {
  readonly payer: string;
  readonly payee: string;
  readonly cumulativeWei: bigint;
  readonly pricePerGibWei: bigint;
  /** 65 bytes, 0x hex, by a session key of the payer. */
  readonly signature: string;
}

/** Value of the `ppio-voucher` header. */
export function encodeVoucher({ payer, payee, cumulativeWei, pricePerGibWei, signature }: VoucherEnvelope): string {
  const body = { payer, payee, cumulativeWei: String(cumulativeWei), pricePerGibWei: String(pricePerGibWei), signature };
  const base64 = encodeBase64(new TextEncoder().encode(JSON.stringify(body)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @throws BAD_FORMAT */
export function decodeVoucher(text: string): VoucherEnvelope {
  const bad = (cause?: unknown): PpioError =>
    new PpioError("BAD_FORMAT", `The header ${VOUCHER_HEADER} holds no voucher (docs/protocol/vouchers.md).`, { cause });
  if (text.length > VOUCHER_CHARS_MAX) throw bad();
  let body: Partial<Record<string, unknown>>;
  try {
    const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = decodeBase64(base64.padEnd(Math.ceil(base64.length / 4) * 4, "="));
    body = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Record<string, unknown>>;
  } catch (cause) {
    throw bad(cause);
  }
  if (typeof body !== "object" || body === null) throw bad();
  const { payer, payee, signature } = body;
  const cumulativeWei = weiOf(body["cumulativeWei"]);
  const pricePerGibWei = weiOf(body["pricePerGibWei"]);
  if (!isAddress(payer) || !isAddress(payee) || !isHexString(signature, 65)) throw bad();
  if (cumulativeWei === undefined || pricePerGibWei === undefined) throw bad();
  return { payer: getAddress(payer), payee: getAddress(payee), cumulativeWei, pricePerGibWei, signature };
}

/**
 * Why a read is not served unpaid. missing: no voucher came; terms: price or payee are others; short: more was served than paid; unknown-key:
 * no live key of the payer signed; reserve, cap, bond: what the payer has on the chain does not carry what is open; ended: the key has.
 */
export const PAYMENT_REASONS = ["missing", "terms", "short", "unknown-key", "reserve", "cap", "bond", "ended"] as const;
export type PaymentReason = (typeof PAYMENT_REASONS)[number];

/** Details of a 402 `PAYMENT_REQUIRED`: the terms, and the provider's view of the stream. */
export interface PaymentDetails {
  readonly reason: PaymentReason;
  readonly terms: ReadTerms;
  /** Cost of all that was served in the stream. */
  readonly owedWei: bigint;
  /** The highest voucher that came. */
  readonly paidWei: bigint;
  /** The least voucher that this read would be served for. */
  readonly neededWei: bigint;
}

export function paymentDetailsBody({ reason, terms, owedWei, paidWei, neededWei }: PaymentDetails): Readonly<Record<string, unknown>> {
  return { reason, ...readTermsBody(terms), owedWei: String(owedWei), paidWei: String(paidWei), neededWei: String(neededWei) };
}

/** Undefined when they are not as they must be: a provider may answer anything. */
export function parsePaymentDetails(details: Readonly<Record<string, unknown>>): PaymentDetails | undefined {
  const terms = parseReadTerms(details);
  const reason = PAYMENT_REASONS.find((known) => known === details["reason"]);
  const [owedWei, paidWei, neededWei] = [details["owedWei"], details["paidWei"], details["neededWei"]].map(weiOf);
  if (terms === undefined || reason === undefined || owedWei === undefined || paidWei === undefined || neededWei === undefined)
    return undefined;
  return { reason, terms, owedWei, paidWei, neededWei };
}

export function parseReadTerms(body: Readonly<Record<string, unknown>>): ReadTerms | undefined {
  const { payee, escrow, creditBytes } = body;
  const pricePerGibWei = weiOf(body["pricePerGibWei"]);
  if (pricePerGibWei === undefined || !isAddress(payee) || !isAddress(escrow)) return undefined;
  if (!Number.isSafeInteger(creditBytes) || Number(creditBytes) < 0) return undefined;
  return { pricePerGibWei, payee: getAddress(payee), escrow: getAddress(escrow), creditBytes: Number(creditBytes) };
}

function weiOf(value: unknown): bigint | undefined {
  if (typeof value !== "string" || !/^\d{1,29}$/.test(value)) return undefined;
  const wei = BigInt(value);
  return wei <= WEI_MAX ? wei : undefined;
}
