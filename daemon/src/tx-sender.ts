/**
 * Sends transactions so that none is lost and none is sent twice: an intent is on disk before the first byte leaves, a restart finds out
 * what became of it, a stuck one gets a higher fee under the same nonce. One key, one at a time, in order.
 */
import { explainRevert, PpioError } from "@ppio/core";
import { type JsonRpcProvider, keccak256, Transaction, type TransactionReceipt, type TransactionRequest, type Wallet } from "ethers";
import { atomicWriteFile, readJsonFile } from "./files.ts";
import { pause } from "./lifecycle.ts";
import type { Logger } from "./log.ts";

const POLL_MS = 300;
const BUMP_AFTER_MS = 12_000;
/** Nodes accept a replacement from 10 % more on. */
const BUMP_PERCENT = 125n;
const BUMPS_MAX = 12;
/** Room for state that changes between estimate and block. */
const GAS_PERCENT = 130n;
const DONE_KEPT = 200;

interface Intent {
  readonly id: string;
  readonly nonce: number;
  /** Signed transactions under this nonce, newest last. */
  readonly raws: readonly string[];
}

interface Journal {
  readonly version: 1;
  readonly pending: Intent | undefined;
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
}

export interface TxCall {
  readonly to: string;
  readonly data: string;
}

export class TxSender {
  readonly #options: TxSenderOptions;
  #journal: Journal;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(options: TxSenderOptions, journal: Journal) {
    this.#options = options;
    this.#journal = journal;
  }

  /** Opens the journal and brings what was under way to an end in the background, before anything new. */
  static async open(options: TxSenderOptions): Promise<TxSender> {
    const journal = (await readJsonFile<Journal>(options.file)) ?? { version: 1, pending: undefined, done: [] };
    const sender = new TxSender(options, journal);
    sender.#tail = sender.#finishPending().catch((error) => options.log.warn("an earlier transaction is still open", { error }));
    return sender;
  }

  /**
   * Sends a call once for this `id`, ever, and waits until it is mined.
   * @throws CHAIN_REVERT and its kin when the contract refuses, CHAIN_UNREACHABLE, CANCELLED
   */
  send(id: string, call: TxCall): Promise<TransactionReceipt> {
    const result = this.#tail.then(() => this.#run(id, call));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #run(id: string, call: TxCall): Promise<TransactionReceipt> {
    await this.#finishPending();
    const known = this.#journal.done.find((entry) => entry.id === id);
    if (known !== undefined) {
      const receipt = await this.#receipt(known.hash);
      // A reorg may have taken it back; then it is sent again.
      if (receipt !== null) return receipt;
    }
    const { wallet, rpc } = this.#options;
    const gas = await this.#estimate(call);
    const nonce = await this.#ask(() => rpc.getTransactionCount(wallet.address, "latest"));
    const fees = await this.#fees();
    const raw = await this.#sign({ ...call, nonce, gasLimit: (gas * GAS_PERCENT) / 100n, ...fees });
    await this.#save({ ...this.#journal, pending: { id, nonce, raws: [raw] } });
    const receipt = await this.#finishPending();
    if (receipt === undefined) throw new PpioError("CONFLICT", `Another transaction took the place of ${id}; it will be tried again.`);
    return receipt;
  }

  /** Sees the pending intent through. Undefined when there is none, or when another transaction used its nonce. */
  async #finishPending(): Promise<TransactionReceipt | undefined> {
    const { rpc, wallet, signal, log, now = Date.now } = this.#options;
    let sentAt = Number.NEGATIVE_INFINITY;
    for (let intent = this.#journal.pending; intent !== undefined; intent = this.#journal.pending) {
      if (signal.aborted) throw new PpioError("CANCELLED", "The process is stopping.");
      const newest = intent.raws.at(-1) ?? "";
      if (now() - sentAt > BUMP_AFTER_MS) {
        if (sentAt > 0 && intent.raws.length <= BUMPS_MAX) await this.#bump(intent, newest);
        await this.#broadcast(this.#journal.pending?.raws.at(-1) ?? newest);
        sentAt = now();
      }
      const receipt = await this.#minedReceipt(intent);
      if (receipt !== undefined) {
        await this.#save({
          version: 1,
          pending: undefined,
          done: [...this.#journal.done, { id: intent.id, hash: receipt.hash }].slice(-DONE_KEPT),
        });
        if (receipt.status !== 1)
          throw new PpioError("CHAIN_REVERT", `The transaction for ${intent.id} was reverted.`, { details: { hash: receipt.hash } });
        return receipt;
      }
      const used = await this.#ask(() => rpc.getTransactionCount(wallet.address, "latest"));
      if (used > intent.nonce && (await this.#minedReceipt(intent)) === undefined) {
        log.warn("a nonce was used by another transaction", { id: intent.id, nonce: intent.nonce });
        await this.#save({ ...this.#journal, pending: undefined });
        return undefined;
      }
      await pause(POLL_MS, signal);
    }
    return undefined;
  }

  async #minedReceipt(intent: Intent): Promise<TransactionReceipt | undefined> {
    for (const raw of intent.raws) {
      const receipt = await this.#receipt(keccak256(raw));
      if (receipt !== null) return receipt;
    }
    return undefined;
  }

  async #bump(intent: Intent, newest: string): Promise<void> {
    const stuck = Transaction.from(newest);
    const raise = (fee: bigint | null): bigint => ((fee ?? 0n) * BUMP_PERCENT) / 100n + 1n;
    const request: TransactionRequest = {
      to: stuck.to,
      data: stuck.data,
      nonce: stuck.nonce,
      gasLimit: stuck.gasLimit,
      maxFeePerGas: raise(stuck.maxFeePerGas),
      maxPriorityFeePerGas: raise(stuck.maxPriorityFeePerGas),
    };
    const raw = await this.#sign(request);
    this.#options.log.info("raising a stuck transaction's fee", { id: intent.id, nonce: intent.nonce });
    await this.#save({ ...this.#journal, pending: { ...intent, raws: [...intent.raws, raw] } });
  }

  /** Fails silently: what matters is whether it is mined, and it is sent again. */
  async #broadcast(raw: string): Promise<void> {
    try {
      await this.#options.rpc.send("eth_sendRawTransaction", [raw]);
    } catch (error) {
      this.#options.log.debug("broadcast was not accepted", { error });
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
