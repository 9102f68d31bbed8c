/**
 * Takes vouchers to the chain, many at once: when half of the escrow's delay has passed, when a payer takes its money back or ends a key,
 * when a stream comes near what its account carries, and when enough has gathered to be worth the gas.
 */
import { openMaxForBond, type PayPromise, type RedeemableVoucher, toRedeemable } from "@ppio/core";
import type { ChainConnection, Logger, TxSender } from "@ppio/daemon";
import { getBytes, keccak256, toUtf8Bytes } from "ethers";
import { askChain } from "../ask-chain.ts";
import type { ProviderMetrics } from "../metrics.ts";
import type { PaymentDesk } from "./desk.ts";
import type { HeldVoucher, VoucherLedger } from "./ledger.ts";
import type { PayerWatch } from "./payer-watch.ts";
import type { Promises } from "./promises.ts";

/** Of a transaction; the contract takes 200. */
const BATCH_MAX = 100;
const ASKED_AT_ONCE = 16;
/** Streams that were redeemed by what is known, looked at again in a round: a reorg may have taken it back. */
const LOOKED_AT_AGAIN = 8;
/** `IBandwidthEscrow.Outcome`. */
const OUTCOME = { paid: 0, nothingNew: 1, atCap: 2, overdrawn: 3, unknownKey: 4, keyEnded: 5 } as const;

export interface RedeemerOptions {
  readonly chain: Pick<ChainConnection, "escrow" | "rpc" | "book">;
  readonly sender: Pick<TxSender, "send">;
  readonly ledger: VoucherLedger;
  readonly desk: PaymentDesk;
  readonly promises: Promises;
  readonly watch: PayerWatch;
  /** Of the escrow. */
  readonly delaySeconds: number;
  /** So much open in all is worth a transaction. */
  readonly redeemAtWei: bigint;
  /** The provider leaves: nothing waits any more. */
  readonly isLeaving: () => boolean;
  readonly metrics: ProviderMetrics;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

interface Open {
  readonly held: HeldVoucher;
  readonly promise: PayPromise;
  readonly openWei: bigint;
}

export class Redeemer {
  readonly #options: RedeemerOptions;
  /** Payers whose vouchers are to be redeemed now, until they are. */
  readonly #alarmed = new Set<string>();
  /** Streams that the chain has not paid the last time, by what it would have been: they are tried again when that changes. */
  readonly #stuck = new Map<string, string>();
  #turn = 0;

  constructor(options: RedeemerOptions) {
    this.#options = options;
  }

  /** Redeems what is due. @throws CHAIN_UNREACHABLE */
  async round(): Promise<void> {
    const { ledger, watch, promises } = this.#options;
    const held = ledger.all();
    const seen = await askChain(() => watch.look([...new Set(held.map(({ payer }) => payer))]));
    for (const voucher of held) if (seen.has(voucher.payer)) promises.forget(voucher);
    for (const payer of seen) this.#alarmed.add(payer);
    const open = await this.#open(held);
    this.#tell(held, open);
    const due = this.#due(open);
    for (const payee of new Set(due.map(({ held: { payee: of } }) => of))) {
      const ofPayee = due.filter((one) => one.held.payee === payee);
      for (let at = 0; at < ofPayee.length; at += BATCH_MAX) await this.#redeem(payee, ofPayee.slice(at, at + BATCH_MAX));
    }
    for (const payer of [...this.#alarmed]) if (!due.some((one) => one.held.payer === payer)) this.#alarmed.delete(payer);
    await this.#dropEnded(held);
  }

  /** What was earned beyond what is redeemed, by stream. */
  async #open(held: readonly HeldVoucher[]): Promise<Open[]> {
    const { promises: known } = this.#options;
    const open: Open[] = [];
    const isDone = (one: HeldVoucher): boolean => (known.last(one)?.redeemedWei ?? -1n) >= one.cumulativeWei;
    const done = held.filter(isDone);
    this.#turn = (this.#turn + LOOKED_AT_AGAIN) % Math.max(1, done.length);
    for (const one of done.slice(this.#turn, this.#turn + LOOKED_AT_AGAIN)) await known.ask(one);
    const asked = held.filter((one) => !isDone(one));
    for (let at = 0; at < asked.length; at += ASKED_AT_ONCE) {
      const chunk = asked.slice(at, at + ASKED_AT_ONCE);
      const promises = await Promise.all(chunk.map(async (one) => known.known(one) ?? (await known.ask(one))));
      for (const [index, one] of chunk.entries()) {
        const promise = promises[index];
        if (promise !== undefined && one.cumulativeWei > promise.redeemedWei) {
          open.push({ held: one, promise, openWei: one.cumulativeWei - promise.redeemedWei });
        }
      }
    }
    return open;
  }

  #due(open: readonly Open[]): Open[] {
    const { delaySeconds, redeemAtWei, isLeaving, now } = this.#options;
    const fresh = open.filter((one) => this.#stuck.get(one.held.signature) !== stateOf(one));
    const totalWei = fresh.reduce((sum, { openWei }) => sum + openWei, 0n);
    if (totalWei >= redeemAtWei || isLeaving()) return fresh;
    const isDue = ({ held, promise, openWei }: Open): boolean =>
      this.#alarmed.has(held.payer) ||
      now() - held.openSinceMs >= (delaySeconds * 1000) / 2 ||
      2n * openWei >= openMaxForBond(promise.bondWei) ||
      2n * openWei >= promise.payableWei;
    const isAny = fresh.some(isDue);
    // One transaction for all costs a third of one for each.
    return isAny ? fresh : [];
  }

  async #redeem(payee: string, due: readonly Open[]): Promise<void> {
    const { chain, sender, promises, metrics, log } = this.#options;
    const { escrow, book } = chain;
    const vouchers = due.map(({ held }) => redeemable(held));
    const tried = await askChain(() => escrow.redeemBatch.staticCall(payee, vouchers));
    const outcomes = getBytes(tried.outcomes);
    const paying = due.filter((one, at) => this.#isWorth(one, outcomes[at] ?? OUTCOME.paid));
    await this.#setAside(due, outcomes);
    if (paying.length === 0) return;
    const batch = paying.map(({ held }) => redeemable(held));
    const data = escrow.interface.encodeFunctionData("redeemBatch", [payee, batch]);
    // The same vouchers again only when the accounts have changed since.
    const id = keccak256(toUtf8Bytes(paying.map((one) => `${one.held.signature} ${stateOf(one)}`).join("\n")));
    const receipt = await sender.send(`redeem/${id}`, { to: book.escrow, data });
    for (const { held } of paying) promises.forget(held);
    const events = receipt.logs
      .filter(({ address }) => address.toLowerCase() === book.escrow.toLowerCase())
      .map((entry) => escrow.interface.parseLog(entry));
    const creditedWei = events.reduce(
      (sum, event) => sum + (event?.name === "VouchersRedeemed" ? BigInt(event.args["creditedWei"]) : 0n),
      0n,
    );
    metrics.add("ppio_redeemed_vouchers_total", paying.length);
    log.info("vouchers were redeemed", { vouchers: paying.length, creditedWei, hash: receipt.hash });
  }

  /** Whether sending it brings money, or takes the bond of who promised too much. */
  #isWorth({ promise }: Open, outcome: number): boolean {
    if (outcome === OUTCOME.paid) return true;
    return outcome === OUTCOME.overdrawn && (promise.payableWei > 0n || promise.bondWei > 0n);
  }

  /** What will never be paid is dropped; what may be paid later waits until something changes. */
  async #setAside(due: readonly Open[], outcomes: Uint8Array): Promise<void> {
    const { ledger, desk, log } = this.#options;
    const lost: HeldVoucher[] = [];
    for (const [at, one] of due.entries()) {
      const outcome = outcomes[at] ?? OUTCOME.paid;
      if (outcome === OUTCOME.unknownKey || outcome === OUTCOME.keyEnded) lost.push(one.held);
      else if (!this.#isWorth(one, outcome)) this.#stuck.set(one.held.signature, stateOf(one));
    }
    for (const { payer, key, cumulativeWei } of lost) log.warn("a voucher cannot be redeemed any more", { payer, key, cumulativeWei });
    desk.forget(lost);
    await ledger.drop(lost);
  }

  /** Streams that are redeemed and whose keys are over. */
  async #dropEnded(held: readonly HeldVoucher[]): Promise<void> {
    const { ledger, desk, promises, delaySeconds, now } = this.#options;
    const over = held.filter((one) => {
      const promise = promises.last(one);
      if (promise === undefined) return false;
      const isOver = (promise.serveUntil + delaySeconds) * 1000 < now();
      return isOver && promise.redeemedWei >= (ledger.find(one)?.cumulativeWei ?? 0n);
    });
    desk.forget(over);
    await ledger.drop(over);
  }

  #tell(held: readonly HeldVoucher[], open: readonly Open[]): void {
    const { metrics } = this.#options;
    metrics.set("ppio_voucher_streams", held.length);
    metrics.set("ppio_vouchers_open_wei", Number(open.reduce((sum, { openWei }) => sum + openWei, 0n)));
  }
}

function redeemable({ payer, payee, cumulativeWei, signature }: HeldVoucher): RedeemableVoucher {
  return toRedeemable({ payer, payee, cumulativeWei }, signature);
}

function stateOf({ held, promise }: Open): string {
  return `${held.cumulativeWei}/${promise.redeemedWei}/${promise.payableWei}/${promise.bondWei}`;
}
