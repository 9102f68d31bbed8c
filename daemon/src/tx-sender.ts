/**
 * Sends transactions so that none is lost and none is sent twice: an intent is on disk before the first byte leaves, a restart finds out
 * what became of it, a stuck one gets a higher fee under the same nonce. One key, one at a time, in order.
 */
import { explainRevert, isPpioError, PpioError } from "@ppio/core";
import { type JsonRpcProvider, keccak256, Transaction, type TransactionReceipt, type TransactionRequest, type Wallet } from "ethers";
import { atomicWriteFile, readJsonFile } from "./files.ts";
import { pause } from "./lifecycle.ts";
import type { Logger } from "./log.ts";

/** Nodes accept a replacement from 10 % more on. */
const BUMP_PERCENT = 125n;
const BUMPS_MAX = 12;
/** Room for state that changes between estimate and block. */
const GAS_PERCENT = 130n;
const DONE_KEPT = 200;

export interface TxTiming {
  readonly pollMs: number;
  /** Without a receipt for so long, the fee is raised. */
  readonly bumpAfterMs: number;
  /** The nonce is used, but no receipt of ours shows for so long: another transaction used it. */
  readonly takenAfterMs: number;
  /** Earlier nonces are missing for so long (a deep reorg, a chain begun anew): the intent is given up. */
  readonly gapAfterMs: number;
}

const TIMING: TxTiming = { pollMs: 300, bumpAfterMs: 12_000, takenAfterMs: 5_000, gapAfterMs: 30_000 };

interface Intent {
  readonly id: string;
  readonly nonce: number;
  /** Signed transactions under this nonce, newest last. */
  readonly raws: readonly string[];
}

interface Journal {
  readonly version: 1;
  /** Chain id and address: nonces count for one account only. */
  readonly account: string;
  readonly pending?: Intent | undefined;
  /** Ids that are mined, newest last, with their hashes. */
  readonly done: readonly { readonly id: string; readonly hash: string }[];
}

export interface TxSenderOptions {
  /** Journal; one per key. */
  readonly file: string;
  readonly rpc: JsonRpcProvider;
  readonly wallet: Wallet;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly now?: () => number;
  readonly timing?: TxTiming;
}

export interface TxCall {
  readonly to: string;
  readonly data: string;
}

export class TxSender {
  readonly #options: TxSenderOptions;
  readonly #timing: TxTiming;
  #journal: Journal;
  #tail: Promise<unknown> = Promise.resolve();
  #lastRefusal = "";

  private constructor(options: TxSenderOptions, journal: Journal) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
    this.#journal = journal;
  }

  /** Opens the journal and brings what was under way to an end in the background, before anything new. @throws CONFIG, IO */
  static async open(options: TxSenderOptions): Promise<TxSender> {
    const { rpc, wallet, log } = options;
    const account = `${rpc._network.chainId}/${wallet.address}`;
    const known = await readJsonFile<Partial<Journal>>(options.file);
    if (known !== undefined && (known.version !== 1 || !Array.isArray(known.done))) {
      throw new PpioError("CONFIG", `${options.file} is no journal of transactions; restore it or move it away.`);
    }
    const isOurs = known?.account === account;
    if (known !== undefined && !isOurs) log.warn("the journal is another account's; a new one is begun", { account: known.account });
    const journal: Journal = isOurs ? (known as Journal) : { version: 1, account, done: [] };
    const sender = new TxSender(options, journal);
    sender.#tail = sender.#finishEarlier().catch((error) => log.warn("an earlier transaction is still open", { error }));
    return sender;
  }

  /**
   * Sends a call once for this `id` (of the last 200) and waits until it is mined.
   * @throws CHAIN_REVERT and its kin when the contract refuses, CONFLICT, CHAIN_UNREACHABLE, CANCELLED
   */
  send(id: string, call: TxCall): Promise<TransactionReceipt> {
    const result = this.#tail.then(() => this.#run(id, call));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves once nothing is written any more; for after the signal. */
  async close(): Promise<void> {
    await this.#tail;
  }

  async #run(id: string, call: TxCall): Promise<TransactionReceipt> {
    await this.#finishEarlier();
    const known = this.#journal.done.find((entry) => entry.id === id);
    if (known !== undefined) {
      const receipt = await this.#receipt(known.hash);
      // A reorg may have taken it back, or mined it anew where it was refused; then it is sent again.
      if (receipt?.status === 1) return receipt;
    }
    const { wallet, rpc, signal } = this.#options;
    const gas = await this.#estimate(call);
    const nonce = await this.#ask(() => rpc.getTransactionCount(wallet.address, "latest"));
    const fees = await this.#fees();
    const raw = await this.#sign({ ...call, nonce, gasLimit: (gas * GAS_PERCENT) / 100n, ...fees });
    if (signal.aborted) throw new PpioError("CANCELLED", "The process is stopping.");
    await this.#save({ ...this.#journal, pending: { id, nonce, raws: [raw] } });
    const receipt = await this.#finishPending();
    if (receipt === undefined) throw new PpioError("CONFLICT", `Another transaction took the place of ${id}; it will be tried again.`);
    return receipt;
  }

  /** How an earlier intent ended is not the business of what comes next; that it ended is. */
  async #finishEarlier(): Promise<void> {
    try {
      await this.#finishPending();
    } catch (error) {
      if (!isPpioError(error, "CHAIN_REVERT")) throw error;
      this.#options.log.warn("an earlier transaction was reverted", { error });
    }
  }

  /** Sees the pending intent through. Undefined when there is none, or when it can no longer be mined. */
  async #finishPending(): Promise<TransactionReceipt | undefined> {
    const { rpc, wallet, signal, now = Date.now } = this.#options;
    let sentAt: number | undefined;
    let oddSince: number | undefined;
    for (let intent = this.#journal.pending; intent !== undefined; intent = this.#journal.pending) {
      if (signal.aborted) throw new PpioError("CANCELLED", "The process is stopping.");
      if (sentAt === undefined || now() - sentAt > this.#timing.bumpAfterMs) {
        if (sentAt !== undefined) await this.#bump(intent);
        await this.#broadcast();
        sentAt = now();
      }
      const receipt = await this.#minedReceipt(this.#journal.pending ?? intent);
      if (receipt !== undefined) return this.#close(intent, receipt);
      const used = await this.#ask(() => rpc.getTransactionCount(wallet.address, "latest"));
      oddSince = used === intent.nonce ? undefined : (oddSince ?? now());
      const patienceMs = used > intent.nonce ? this.#timing.takenAfterMs : this.#timing.gapAfterMs;
      if (oddSince !== undefined && now() - oddSince > patienceMs) return this.#giveUp(intent, used);
      await pause(this.#timing.pollMs, signal);
    }
    return undefined;
  }

  /** A reverted one is not done: whoever wants it asks again, and the contract is asked first. */
  async #close(intent: Intent, receipt: TransactionReceipt): Promise<TransactionReceipt> {
    const { done, account } = this.#journal;
    const isDone = receipt.status === 1;
    const all = isDone ? [...done, { id: intent.id, hash: receipt.hash }].slice(-DONE_KEPT) : done;
    await this.#save({ version: 1, account, done: all });
    if (isDone) return receipt;
    throw new PpioError("CHAIN_REVERT", `The transaction for ${intent.id} was reverted.`, { details: { hash: receipt.hash } });
  }

  async #giveUp(intent: Intent, used: number): Promise<undefined> {
    this.#options.log.warn("a transaction can no longer be mined", { id: intent.id, nonce: intent.nonce, nextNonce: used });
    await this.#save({ ...this.#journal, pending: undefined });
  }

  async #minedReceipt(intent: Intent): Promise<TransactionReceipt | undefined> {
    for (const raw of intent.raws) {
      const receipt = await this.#receipt(keccak256(raw));
      if (receipt !== null) return receipt;
    }
    return undefined;
  }

  async #bump(intent: Intent): Promise<void> {
    const newest = intent.raws.at(-1);
    if (newest === undefined || intent.raws.length > BUMPS_MAX) return;
    const stuck = Transaction.from(newest);
    const market = await this.#fees();
    // At least what nodes ask of a replacement, and at least what is asked of anybody now.
    const raise = (fee: bigint | null, asked: bigint): bigint => {
      const raised = ((fee ?? 0n) * BUMP_PERCENT) / 100n + 1n;
      return raised > asked ? raised : asked;
    };
    const raw = await this.#sign({
      to: stuck.to,
      data: stuck.data,
      nonce: stuck.nonce,
      gasLimit: stuck.gasLimit,
      maxFeePerGas: raise(stuck.maxFeePerGas, market.maxFeePerGas),
      maxPriorityFeePerGas: raise(stuck.maxPriorityFeePerGas, market.maxPriorityFeePerGas),
    });
    this.#options.log.info("raising a stuck transaction's fee", { id: intent.id, nonce: intent.nonce });
    await this.#save({ ...this.#journal, pending: { ...intent, raws: [...intent.raws, raw] } });
  }

  /** A refusal is told, not thrown: what matters is whether it is mined, and it is sent again. */
  async #broadcast(): Promise<void> {
    const raw = this.#journal.pending?.raws.at(-1);
    if (raw === undefined) return;
    try {
      await this.#options.rpc.send("eth_sendRawTransaction", [raw]);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const isNews = !/already known|already imported|nonce too low/i.test(message) && message !== this.#lastRefusal;
      if (isNews) this.#options.log.warn("the node did not take a transaction", { id: this.#journal.pending?.id, error });
      this.#lastRefusal = message;
    }
  }

  async #estimate(call: TxCall): Promise<bigint> {
    try {
      return await this.#options.rpc.estimateGas({ from: this.#options.wallet.address, to: call.to, data: call.data });
    } catch (error) {
      throw (
        explainRevert(error) ?? new PpioError("CHAIN_UNREACHABLE", "The chain does not answer; it will be tried again.", { cause: error })
      );
    }
  }

  async #fees(): Promise<{ maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }> {
    const fees = await this.#ask(() => this.#options.rpc.getFeeData());
    const tip = fees.maxPriorityFeePerGas ?? 1_000_000_000n;
    return { maxFeePerGas: fees.maxFeePerGas ?? (fees.gasPrice ?? 0n) * 2n + tip, maxPriorityFeePerGas: tip };
  }

  #sign(request: TransactionRequest): Promise<string> {
    return this.#options.wallet.signTransaction({ ...request, type: 2, chainId: this.#options.rpc._network.chainId });
  }

  #receipt(hash: string): Promise<TransactionReceipt | null> {
    return this.#ask(() => this.#options.rpc.getTransactionReceipt(hash));
  }

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      throw new PpioError("CHAIN_UNREACHABLE", "The chain does not answer; it will be tried again.", { cause });
    }
  }

  async #save(journal: Journal): Promise<void> {
    await atomicWriteFile(this.#options.file, JSON.stringify(journal), { mode: 0o600 });
    this.#journal = journal;
  }
}
