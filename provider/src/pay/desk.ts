/**
 * Whether a read is paid for (docs/protocol/vouchers.md, "Over HTTP"): what every stream owes and has paid, the credit that is given, and
 * what the payer's account must carry. A new voucher is on the disk before a byte is served for it.
 *
 * Invariants: owed <= paid + credit in every stream; a read that was not served is not owed; what is redeemable is never less than what was
 * served for, less the credit.
 */
import {
  CREDIT_BYTES_DEFAULT,
  decodeVoucher,
  type EscrowDomain,
  isPpioError,
  openMaxForBond,
  type PaymentReason,
  type PayPromise,
  PpioError,
  paymentDetailsBody,
  type ReadTerms,
  readCostWei,
  VOUCHER_HEADER,
  type VoucherEnvelope,
  voucherMessage,
} from "@ppio/core";
import type { ProviderMetrics } from "../metrics.ts";
import { type HeldVoucher, STREAMS_MAX, type StreamId, streamKey, type VoucherLedger } from "./ledger.ts";
import type { Promises } from "./promises.ts";
import type { Strikes } from "./strikes.ts";

/** After so long without a read, what a stream owes beyond its vouchers is forgiven: a window at most, and answers get lost. */
export const FORGIVE_MS = 600_000;

export interface PaymentDeskOptions {
  readonly pricePerGibWei: bigint;
  readonly creditBytes?: number;
  /** Who is paid: the provider's owner. */
  readonly payee: string;
  readonly domain: EscrowDomain;
  readonly ledger: VoucherLedger;
  readonly promises: Promises;
  readonly strikes: Strikes;
  readonly metrics: ProviderMetrics;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** A read that is paid for. */
export interface Charge {
  /** It was not served. Only once. */
  refund(): void;
}

/** What a request shows. */
export interface ShownVoucher {
  /** Value of the `ppio-voucher` header. */
  readonly voucher: string | undefined;
  /** Address of the network that it came from. */
  readonly from: string;
}

interface Stream extends StreamId {
  owedWei: bigint;
  /** The highest voucher that came, on the disk or on its way there. */
  paidWei: bigint;
  lastReadMs: number;
  /** Vouchers on their way to the disk. */
  saving: Promise<void> | undefined;
}

const FREE: Charge = { refund: () => undefined };

export class PaymentDesk {
  readonly #options: PaymentDeskOptions;
  readonly #streams = new Map<string, Stream>();
  #payee: string;

  constructor(options: PaymentDeskOptions) {
    this.#options = options;
    this.#payee = options.payee;
    for (const held of options.ledger.all()) this.#streams.set(streamKey(held), this.#streamFrom(held));
  }

  get terms(): ReadTerms {
    const { pricePerGibWei, creditBytes = CREDIT_BYTES_DEFAULT, domain } = this.#options;
    return { pricePerGibWei, payee: this.#payee, escrow: domain.escrow, creditBytes };
  }

  /** The provider has another owner now. */
  setPayee(payee: string): void {
    this.#payee = payee;
  }

  /** Resolves when a read of `bytes` may be served. @throws PAYMENT_REQUIRED, BAD_FORMAT, REFUSED, CHAIN_UNREACHABLE, IO */
  async charge(shown: ShownVoucher, bytes: number): Promise<Charge> {
    const { terms } = this;
    const { metrics, strikes } = this.#options;
    const isFree = terms.pricePerGibWei === 0n;
    if (isFree && shown.voucher === undefined) return FREE;
    if (strikes.isBanned(shown.from))
      throw new PpioError("REFUSED", "Too many broken vouchers came from your address; try again in a minute.");
    const costWei = readCostWei(terms.pricePerGibWei, bytes);
    const asked: Asked = { terms, bytes, costWei, owedWei: 0n, paidWei: 0n };
    const refused = (reason: PaymentReason, known: Partial<Asked> = {}, payer?: string): PpioError => {
      metrics.add("ppio_unpaid_reads_total", 1);
      return refusal(reason, { ...asked, ...known }, payer);
    };
    if (shown.voucher === undefined) throw refused("missing");
    const envelope = this.#decode(shown, shown.voucher);
    const { payer, payee, cumulativeWei, signature } = envelope;
    if (isFree || payee !== terms.payee || envelope.pricePerGibWei !== terms.pricePerGibWei) throw refused("terms", {}, payer);
    const key = voucherMessage.recover(this.#options.domain, { payer, payee, cumulativeWei }, signature);
    const stream =
      key === undefined ? undefined : (this.#streams.get(streamKey({ payer, key, payee })) ?? this.#newStream({ payer, key, payee }));
    const fault = stream === undefined ? "unknown-key" : await this.#check(stream, envelope, costWei);
    if (stream === undefined || fault !== undefined) {
      if (fault === "unknown-key") strikes.add(shown.from);
      throw refused(fault ?? "unknown-key", stream, payer);
    }
    // From the check to here nothing was awaited.
    stream.owedWei += costWei;
    stream.lastReadMs = this.#options.now();
    this.#streams.set(streamKey(stream), stream);
    const charge = this.#chargeOf(stream, costWei);
    try {
      await this.#save(stream, envelope);
    } catch (error) {
      charge.refund();
      throw error;
    }
    return charge;
  }

  /** What streams owe goes to the disk, so that the next start charges exactly. For after the last read. */
  async close(): Promise<void> {
    const { ledger } = this.#options;
    const changed = ledger.all().flatMap((held) => {
      const owedWei = this.#streams.get(streamKey(held))?.owedWei;
      return owedWei === undefined || owedWei === held.owedWei ? [] : [{ ...held, owedWei }];
    });
    await Promise.allSettled(changed.map((held) => ledger.put(held)));
    await ledger.close();
  }

  /** Streams that are over. */
  forget(ids: readonly StreamId[]): void {
    for (const id of ids) this.#streams.delete(streamKey(id));
  }

  #decode({ from }: ShownVoucher, text: string): VoucherEnvelope {
    try {
      return decodeVoucher(text);
    } catch (error) {
      if (isPpioError(error, "BAD_FORMAT")) this.#options.strikes.add(from);
      throw error;
    }
  }

  #streamFrom(held: HeldVoucher): Stream {
    const { payer, key, payee, owedWei, cumulativeWei } = held;
    return { payer, key, payee, owedWei, paidWei: cumulativeWei, lastReadMs: this.#options.now(), saving: undefined };
  }

  #newStream(id: StreamId): Stream {
    if (this.#streams.size >= STREAMS_MAX) {
      throw new PpioError("REFUSED", "This provider keeps as many streams of vouchers as it can; use another one or try later.");
    }
    return { ...id, owedWei: 0n, paidWei: 0n, lastReadMs: this.#options.now(), saving: undefined };
  }

  /** What keeps the stream from another read; nothing when it may be served, then at once. */
  async #check(stream: Stream, { cumulativeWei }: VoucherEnvelope, costWei: bigint): Promise<PaymentReason | undefined> {
    const { promises, now } = this.#options;
    let promise = promises.known(stream) ?? (await promises.ask(stream));
    for (;;) {
      if (now() - stream.lastReadMs > FORGIVE_MS && stream.owedWei > stream.paidWei) stream.owedWei = stream.paidWei;
      const paidWei = cumulativeWei > stream.paidWei ? cumulativeWei : stream.paidWei;
      const owedWei = stream.owedWei + costWei;
      const fault = accountFault(promise, paidWei > owedWei ? paidWei : owedWei, now());
      if (fault === undefined) return owedWei > paidWei + this.#creditWei() ? "short" : undefined;
      if (promises.isFresh(stream)) return fault;
      promise = await promises.ask(stream);
    }
  }

  #creditWei(): bigint {
    const { pricePerGibWei, creditBytes } = this.terms;
    return readCostWei(pricePerGibWei, creditBytes);
  }

  async #save(stream: Stream, { cumulativeWei, signature }: VoucherEnvelope): Promise<void> {
    const { ledger, now, promises, metrics } = this.#options;
    if (cumulativeWei > stream.paidWei) {
      const { payer, key, payee, owedWei } = stream;
      const held = ledger.find(stream);
      const redeemedWei = promises.known(stream)?.redeemedWei ?? 0n;
      const openSinceMs = held !== undefined && held.cumulativeWei > redeemedWei ? held.openSinceMs : now();
      stream.paidWei = cumulativeWei;
      metrics.add("ppio_vouchers_total", 1);
      const before = stream.saving;
      const saving = ledger.put({ payer, key, payee, cumulativeWei, signature, owedWei, openSinceMs }).then(() => before);
      stream.saving = saving;
      const isLast = (): boolean => stream.saving === saving;
      saving.then(
        () => {
          if (isLast()) stream.saving = undefined;
        },
        () => {
          // What is not on the disk does not pay.
          if (isLast()) stream.saving = undefined;
          stream.paidWei = ledger.find(stream)?.cumulativeWei ?? 0n;
        },
      );
    }
    await stream.saving;
  }

  #chargeOf(stream: Stream, costWei: bigint): Charge {
    let isRefunded = false;
    return {
      refund: () => {
        if (isRefunded) return;
        isRefunded = true;
        stream.owedWei -= costWei;
      },
    };
  }
}

/** What of the payer's account does not carry that so much was earned in the stream. */
function accountFault(promise: PayPromise, earnedWei: bigint, nowMs: number): PaymentReason | undefined {
  if (promise.serveUntil === 0) return "unknown-key";
  if (promise.serveUntil * 1000 <= nowMs) return "ended";
  const openWei = earnedWei > promise.redeemedWei ? earnedWei - promise.redeemedWei : 0n;
  if (openWei > promise.payableWei) return "reserve";
  if (openWei > promise.capLeftWei) return "cap";
  return openWei > openMaxForBond(promise.bondWei) ? "bond" : undefined;
}

interface Asked {
  readonly terms: ReadTerms;
  readonly bytes: number;
  readonly costWei: bigint;
  readonly owedWei: bigint;
  readonly paidWei: bigint;
}

const TODO_OF: Readonly<Record<PaymentReason, string>> = {
  missing: `deposit a reserve into the escrow and send a voucher in the header ${VOUCHER_HEADER}`,
  terms: "send a voucher to this payee at this price",
  short: "send a higher voucher",
  "unknown-key": "sign with a live session key of the payer",
  reserve: "deposit more reserve, or wait until what is open is redeemed",
  cap: "authorise another session key",
  bond: "deposit a larger bond, or wait until what is open is redeemed",
  ended: "authorise another session key",
};

/** The sentence and the details of a 402. */
function refusal(reason: PaymentReason, { terms, bytes, costWei, owedWei, paidWei }: Asked, payer = "the payer"): PpioError {
  const creditWei = readCostWei(terms.pricePerGibWei, terms.creditBytes);
  const neededWei = owedWei + costWei > creditWei ? owedWei + costWei - creditWei : 0n;
  const message =
    `Reads cost ${terms.pricePerGibWei} wei per GiB here: for ${bytes} more bytes ${payer} owes ${owedWei + costWei} wei in all to ${terms.payee}, ` +
    `vouchers pay ${paidWei}; ${TODO_OF[reason]}.`;
  return new PpioError("PAYMENT_REQUIRED", message, { details: paymentDetailsBody({ reason, terms, owedWei, paidWei, neededWei }) });
}
