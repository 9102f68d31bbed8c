/**
 * Pays for reads (docs/protocol/vouchers.md, "Over HTTP"): a voucher of a session key goes ahead of every read of a provider that asks for
 * one, and covers what was read and what is asked for. Up to where it signs is on the disk before.
 *
 * It learns a provider's terms from its refusal, so that free providers are asked nothing. It pays the provider's owner of the registry and
 * nobody else, below the user's price, within the reserve, and no more than the cost of the reads under way ahead of what came.
 */
import { hexlify } from "ethers";
import { digestSigner } from "#secp";
import { type EscrowDomain, voucherMessage } from "../chain/voucher-messages.ts";
import { isPpioError, PpioError } from "../errors.ts";
import type { AnswerReader } from "../peer/body.ts";
import type { ProviderApi, ReadRequest } from "../peer/provider-api.ts";
import {
  CREDIT_BYTES_DEFAULT,
  encodeVoucher,
  type PaymentDetails,
  parsePaymentDetails,
  type ReadTerms,
  readCostWei,
} from "../wire/payment.ts";
import { openMaxForBond, type PayFunds } from "./funds.ts";
import { paidAnswer } from "./paid-answer.ts";
import { enter, leave, type OpenStream, PaidStreams } from "./paid-streams.ts";
import type { PayRecord, PayStore } from "./pay-store.ts";

/** Windows for which the disk is told ahead, so that it is not asked for every voucher. */
const LIMIT_STEP_WINDOWS = 16n;
/** Refusals of one read that are answered with another voucher: for the terms, for what was lost, and for what another process paid. */
const TRIES_MAX = 4;
/** A key that ends so soon is not used: clocks differ. */
const KEY_MARGIN_SECONDS = 30;

/** A provider as the registry knows it. */
export interface Seller {
  readonly providerId: number;
  /** Who is paid. */
  readonly owner: string;
}

export interface PayerOptions {
  readonly domain: EscrowDomain;
  readonly store: PayStore;
  readonly funds: PayFunds;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
  /** Paid ahead of what came, in bytes: no read of a provider that is paid is longer. */
  readonly windowBytes?: number;
  /** What the user does when nothing can be paid, as the end of a sentence. */
  readonly hint: string;
  /** Whether this much more may be spent now: a budget. Told of every read before it is paid. */
  readonly mayPay?: (costWei: bigint) => Promise<boolean>;
}

export interface Payer {
  /** The same provider, its reads paid for. */
  api(api: ProviderApi, seller: Seller): ProviderApi;
  /** Writes what is owed, so that the next process goes on from there. */
  flush(): Promise<void>;
}

/** Why a read was not paid, when it is for reasons of our own; in `details.unpaid` of a `PAYMENT_REQUIRED`. */
export type UnpaidReason = "no-account" | "price" | "key" | "reserve" | "budget" | "account";

/** Whether a read was not served because we did not pay, not because the provider failed. */
export function isUnpaid(error: unknown): error is PpioError {
  return isPpioError(error, "PAYMENT_REQUIRED") && typeof error.details["unpaid"] === "string";
}

export function createPayer(options: PayerOptions): Payer {
  const payer = new VoucherPayer(options);
  return {
    api: (api, seller) => ({ ...api, readSlot: (request, signal) => payer.readSlot(api, seller, request, signal) }),
    flush: () => payer.flush(),
  };
}

class VoucherPayer {
  readonly #options: PayerOptions;
  /** Of providers that want money, by id. */
  readonly #terms = new Map<number, ReadTerms>();
  readonly #streams: PaidStreams;
  #record: PayRecord | undefined;
  #isRead = false;

  constructor(options: PayerOptions) {
    this.#options = options;
    this.#streams = new PaidStreams(options, (record) => {
      this.#record = record;
    });
  }

  flush(): Promise<void> {
    return this.#streams.flush();
  }

  async readSlot(api: ProviderApi, seller: Seller, request: ReadRequest, signal?: AbortSignal): Promise<AnswerReader> {
    const { voucher: _voucher, ...plain } = request;
    for (let attempt = 1; ; attempt += 1) {
      const terms = this.#terms.get(seller.providerId);
      try {
        return terms === undefined ? await api.readSlot(plain, signal) : await this.#pay(api, seller, terms, plain, signal);
      } catch (error) {
        const details = isPpioError(error, "PAYMENT_REQUIRED") ? parsePaymentDetails(error.details) : undefined;
        if (details === undefined) throw error;
        await this.#learn(seller, terms, details, error as PpioError);
        if (attempt >= TRIES_MAX) throw refusesRightPayment(seller, details, error);
      }
    }
  }

  async #pay(api: ProviderApi, seller: Seller, terms: ReadTerms, request: ReadRequest, signal?: AbortSignal): Promise<AnswerReader> {
    const windowBytes = this.#windowBytes;
    if (request.length > windowBytes) {
      throw new PpioError("TOO_LARGE", `Provider ${seller.providerId} is paid ahead, for ${windowBytes} bytes at a time; ask for less.`, {
        details: { bytesMax: windowBytes },
      });
    }
    const record = await this.#account(seller, terms);
    const costWei = readCostWei(terms.pricePerGibWei, request.length);
    const open = this.#streams.of(record, terms.payee);
    await enter(open, signal);
    try {
      if ((await this.#options.mayPay?.(costWei)) === false) throw this.#unpaid(seller, "budget", "the budget for reads is spent");
      return await this.#send(api, { seller, terms, record, open, costWei }, request, signal);
    } catch (error) {
      leave(open);
      throw error;
    }
  }

  async #send(
    api: ProviderApi,
    paid: {
      readonly seller: Seller;
      readonly terms: ReadTerms;
      readonly record: PayRecord;
      readonly open: OpenStream;
      readonly costWei: bigint;
    },
    request: ReadRequest,
    signal?: AbortSignal,
  ): Promise<AnswerReader> {
    const { seller, terms, record, open, costWei } = paid;
    const { stream } = open;
    const cumulativeWei = stream.begin(costWei);
    try {
      // The first time in any case, so that other processes see this one.
      if (open.writtenLimitWei === undefined || cumulativeWei > stream.state.limitWei) await this.#raise(seller, terms, open);
      const voucher = encodeVoucher({
        ...{ payer: record.payer, payee: terms.payee, cumulativeWei, pricePerGibWei: terms.pricePerGibWei },
        signature: this.#sign(record, terms.payee, cumulativeWei),
      });
      const answer = await api.readSlot({ ...request, voucher }, signal);
      return paidAnswer(answer, signal, (end) => {
        if (end.isWhole) stream.came(costWei);
        else stream.broke(costWei, readCostWei(terms.pricePerGibWei, Math.min(end.cameBytes, request.length)));
        leave(open);
      });
    } catch (error) {
      // A status says that nothing was served; without one it may have been, and then the provider will say so.
      stream.broke(costWei, 0n);
      throw error;
    }
  }

  #sign({ payer, key }: PayRecord, payee: string, cumulativeWei: bigint): string {
    return hexlify(digestSigner(key.privateKey)(voucherMessage.digest(this.#options.domain, { payer, payee, cumulativeWei })));
  }

  /** Takes over what a provider says of its terms and of the stream. @throws PAYMENT_REQUIRED, REFUSED when that is not to be paid */
  async #learn(seller: Seller, before: ReadTerms | undefined, details: PaymentDetails, error: PpioError): Promise<void> {
    const { terms, reason } = details;
    const { domain, hint } = this.#options;
    if (terms.pricePerGibWei === 0n) {
      this.#terms.delete(seller.providerId);
      return;
    }
    const record = await this.#account(seller, terms);
    if (terms.payee.toLowerCase() !== seller.owner.toLowerCase() || terms.escrow.toLowerCase() !== domain.escrow.toLowerCase()) {
      throw new PpioError(
        "REFUSED",
        `Provider ${seller.providerId} wants ${terms.payee} to be paid, which is not its owner; another provider is asked.`,
      );
    }
    this.#terms.set(seller.providerId, terms);
    const isNew = before === undefined || before.pricePerGibWei !== terms.pricePerGibWei || before.payee !== terms.payee;
    if (isNew || reason === "terms" || reason === "missing") return;
    if (reason === "short") {
      await this.#reconcile(seller, details, record);
      return;
    }
    // It says that our account is at fault: the chain knows.
    const { payer, key } = record;
    const neededWei = this.#streams.of(record, terms.payee).stream.state.owedWei + this.#windowWei(terms);
    const promise = await this.#options.funds.promiseOf(payer, terms.payee, key.address);
    const openWei = neededWei > promise.redeemedWei ? neededWei - promise.redeemedWei : 0n;
    const isGood = openWei <= promise.payableWei && openWei <= promise.capLeftWei && openWei <= openMaxForBond(promise.bondWei);
    if (isGood) throw refusesRightPayment(seller, details, error);
    // Somebody may be mending it, with another key.
    this.#isRead = false;
    throw this.#unpaid(seller, "account", `${ACCOUNT_FAULTS[reason] ?? "the account does not carry it"}; ${hint}`, error);
  }

  /** Makes its own count that of the provider, as far as answers may have been lost. @throws REFUSED */
  async #reconcile(seller: Seller, { terms, owedWei }: PaymentDetails, record: PayRecord): Promise<void> {
    const open = this.#streams.of(record, terms.payee);
    await this.#streams.sync(open);
    if (open.stream.adopt(owedWei, this.#windowWei(terms))) return;
    throw new PpioError(
      "REFUSED",
      `Provider ${seller.providerId} says that ${owedWei} wei are owed to it and ${open.stream.state.owedWei} are; another provider is asked.`,
      { details: { status: 402 } },
    );
  }

  /** The account that pays at these terms. @throws PAYMENT_REQUIRED */
  async #account(seller: Seller, terms: ReadTerms): Promise<PayRecord> {
    const { store, hint, nowMs } = this.#options;
    if (this.#record === undefined || !this.#isRead) {
      this.#record = await store.read();
      this.#isRead = this.#record !== undefined;
    }
    const record = this.#record;
    const price = terms.pricePerGibWei;
    if (record === undefined)
      throw this.#unpaid(seller, "no-account", `it asks ${price} wei per GiB, and there is no reserve to pay it from; ${hint}`);
    if (price > record.maxPricePerGibWei) {
      throw this.#unpaid(
        seller,
        "price",
        `it asks ${price} wei per GiB, more than the ${record.maxPricePerGibWei} that were allowed; ${hint}`,
      );
    }
    if (record.key.expiry - KEY_MARGIN_SECONDS < nowMs() / 1000) {
      this.#isRead = false;
      throw this.#unpaid(seller, "key", `the session key ended at ${new Date(record.key.expiry * 1000).toISOString()}; ${hint}`);
    }
    return record;
  }

  /** Raises on the disk up to where may be signed, within what the chain holds. @throws PAYMENT_REQUIRED */
  #raise(seller: Seller, terms: ReadTerms, open: OpenStream): Promise<void> {
    return this.#streams.raise(open, LIMIT_STEP_WINDOWS * this.#windowWei(terms), (neededWei) =>
      this.#unpaid(seller, "reserve", `the reserve does not carry ${neededWei} wei for it; ${this.#options.hint}`),
    );
  }

  get #windowBytes(): number {
    return this.#options.windowBytes ?? CREDIT_BYTES_DEFAULT;
  }

  #windowWei({ pricePerGibWei }: ReadTerms): bigint {
    return readCostWei(pricePerGibWei, this.#windowBytes);
  }

  #unpaid({ providerId }: Seller, unpaid: UnpaidReason, why: string, cause?: unknown): PpioError {
    return new PpioError("PAYMENT_REQUIRED", `Provider ${providerId} wants to be paid for reads: ${why}.`, {
      details: { unpaid, providerId },
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

const ACCOUNT_FAULTS: Readonly<Record<string, string>> = {
  "unknown-key": "the session key is not known on the chain",
  ended: "the session key has ended",
  reserve: "the reserve does not carry what is open",
  cap: "the session key's cap for one payee is reached",
  bond: "the bond is too small for what is open",
};

/** Its own failure: it counts as one that declined. */
function refusesRightPayment({ providerId }: Seller, { reason }: PaymentDetails, cause: unknown): PpioError {
  return new PpioError("REFUSED", `Provider ${providerId} refuses a payment that is right (${reason}); another provider is asked.`, {
    cause,
    details: { status: 402 },
  });
}
