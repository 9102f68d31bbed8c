/**
 * Sends transactions so that none is lost and none is sent twice: an intent is on disk before the first byte leaves, a restart finds out
 * what became of it, a stuck one gets a higher fee under the same nonce, and one that a reorg took back is sent again as it was. One key, one
 * at a time, in order; what is urgent goes before what is not, and makes a stuck one hurry.
 */
import { explainRevert, isPpioError, PpioError } from "@ppio/core";
import { type JsonRpcProvider, keccak256, Transaction, type TransactionReceipt, type TransactionRequest, type Wallet } from "ethers";
import { atomicWriteFile, readJsonFile } from "./files.ts";
import { pause } from "./lifecycle.ts";
import type { Logger } from "./log.ts";

/** Nodes accept a replacement from 10 % more on. */
const BUMP_PERCENT = 125n;
const BUMPS_MAX = 12;
/** Beyond that only as far as everybody's fees rise, and never more often than this. */
const RAWS_MAX = 64;
/** Room for state that changes between estimate and block. */
const GAS_PERCENT = 130n;
const DONE_KEPT = 200;
/** Of the newest ones the signed bytes are kept, for a reorg. */
const SIGNED_KEPT = 16;

export interface TxTiming {
  readonly pollMs: number;
  /** Without a receipt for so long, the fee is raised. */
  readonly bumpAfterMs: number;
  /** The same while something urgent waits. */
  readonly urgentBumpAfterMs: number;
  /** The nonce is used, but no receipt of ours shows for so long: another transaction used it. */
  readonly takenAfterMs: number;
  /** Earlier nonces are missing for so long (a deep reorg, a chain begun anew): the intent is given up. */
  readonly gapAfterMs: number;
}

const TIMING: TxTiming = { pollMs: 300, bumpAfterMs: 12_000, urgentBumpAfterMs: 3_000, takenAfterMs: 5_000, gapAfterMs: 30_000 };

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
  /** What is mined, newest last. */
  readonly done: readonly Done[];
}

interface Done {
  readonly id: string;
  readonly hash: string;
  /** As it was signed, of the newest ones. */
  readonly raw?: string | undefined;
}

export type TxLane = "urgent" | "ordinary";

interface Waiting {
  readonly lane: TxLane;
  readonly run: () => Promise<void>;
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
  readonly #waiting: Waiting[] = [];
  #worker: Promise<void> = Promise.resolve();
  #isWorking = false;
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
    const finish = (): Promise<void> =>
      sender.#finishEarlier().catch((error) => log.warn("an earlier transaction is still open", { error }));
    sender.#enqueue({ lane: "urgent", run: finish });
    return sender;
  }

  /**
   * Sends a call once for this `id` (of the last 200) and waits until it is mined. Asked again after a reorg has taken it back, it is
   * sent again.
   * @param lane urgent: has a deadline, goes before all that is not
   * @throws CHAIN_REVERT and its kin when the contract refuses, CONFLICT, CHAIN_UNREACHABLE, CANCELLED
   */
  send(id: string, call: TxCall, lane: TxLane = "ordinary"): Promise<TransactionReceipt> {
    return new Promise((resolve, reject) => this.#enqueue({ lane, run: () => this.#run(id, call).then(resolve, reject) }));
  }

  /** Resolves once nothing is written any more; for after the signal. */
  async close(): Promise<void> {
    await this.#worker;
  }

  #enqueue(job: Waiting): void {
    const at = job.lane === "urgent" ? this.#waiting.findIndex(({ lane }) => lane !== "urgent") : -1;
    if (at < 0) this.#waiting.push(job);
    else this.#waiting.splice(at, 0, job);
    if (!this.#isWorking) this.#worker = this.#work();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) await job.run();
    this.#isWorking = false;
  }

  async #run(id: string, call: TxCall): Promise<TransactionReceipt> {
    await this.#finishEarlier();
    const known = this.#journal.done.findLast((entry) => entry.id === id);
    const before = known === undefined ? null : await this.#receipt(known.hash);
    // A reorg may have taken it back, or mined it anew where it was refused; then it is sent again.
    if (before?.status === 1) return before;
    const { wallet, rpc, signal } = this.#options;
    const [gas, nonce, fees] = await Promise.all([
      this.#estimate(call),
      this.#ask(() => rpc.getTransactionCount(wallet.address, "latest")),
      this.#fees(),
    ]);
    if (known?.raw !== undefined) {
      const receipt = await this.#sendAgain(id, known.raw, nonce);
      if (receipt !== undefined) return receipt;
    }
    const raw = await this.#sign({ ...call, nonce, gasLimit: (gas * GAS_PERCENT) / 100n, ...fees });
    if (signal.aborted) throw new PpioError("CANCELLED", "The process is stopping.");
    await this.#save({ ...this.#journal, pending: { id, nonce, raws: [raw] } });
    const receipt = await this.#finishPending();
    if (receipt === undefined) throw new PpioError("CONFLICT", `Another transaction took the place of ${id}; it will be tried again.`);
    return receipt;
  }

  /** What a reorg took back goes out as it was: under a new nonce it could be mined twice. Undefined when its nonce is used. */
  async #sendAgain(id: string, raw: string, nextNonce: number): Promise<TransactionReceipt | undefined> {
    const { nonce } = Transaction.from(raw);
    if (nonce < nextNonce) return undefined;
    this.#options.log.warn("a reorg took a transaction back; it is sent again", { id, nonce });
    await this.#save({ ...this.#journal, pending: { id, nonce, raws: [raw] } });
    return this.#finishPending();
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
      const patienceMs = this.#waiting[0]?.lane === "urgent" ? this.#timing.urgentBumpAfterMs : this.#timing.bumpAfterMs;
      if (sentAt === undefined || now() - sentAt > patienceMs) {
        if (sentAt !== undefined) await this.#bump(intent);
        await this.#broadcast();
        sentAt = now();
      }
      const newest = this.#journal.pending ?? intent;
      const receipt = await this.#minedReceipt(newest);
      if (receipt !== undefined) return this.#close(newest, receipt);
      const used = await this.#ask(() => rpc.getTransactionCount(wallet.address, "latest"));
      oddSince = used === intent.nonce ? undefined : (oddSince ?? now());
      const oddMs = used > intent.nonce ? this.#timing.takenAfterMs : this.#timing.gapAfterMs;
      if (oddSince !== undefined && now() - oddSince > oddMs) return this.#giveUp(intent, used);
      await pause(this.#timing.pollMs, signal);
    }
    return undefined;
  }

  /** A reverted one is not done: whoever wants it asks again, and the contract is asked first. */
  async #close(intent: Intent, receipt: TransactionReceipt): Promise<TransactionReceipt> {
    const { done, account } = this.#journal;
    const isDone = receipt.status === 1;
    const raw = intent.raws.find((candidate) => keccak256(candidate) === receipt.hash);
    const all = isDone ? keepNewest([...done.filter(({ id }) => id !== intent.id), { id: intent.id, hash: receipt.hash, raw }]) : done;
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
    if (newest === undefined || intent.raws.length >= RAWS_MAX) return;
    const stuck = Transaction.from(newest);
    const market = await this.#fees();
    const isCheap = market.maxFeePerGas > (stuck.maxFeePerGas ?? 0n);
    if (intent.raws.length > BUMPS_MAX && !isCheap) return;
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

  /**
   * A refusal is told, not thrown: what matters is whether it is mined, and it is sent again. When the account cannot pay the newest fee, an
   * earlier one must do.
   */
  async #broadcast(): Promise<void> {
    for (const raw of (this.#journal.pending?.raws ?? []).toReversed()) {
      try {
        await this.#options.rpc.send("eth_sendRawTransaction", [raw]);
        return;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const isNews = !/already known|already imported|nonce too low/i.test(message) && message !== this.#lastRefusal;
        if (isNews) this.#options.log.warn("the node did not take a transaction", { id: this.#journal.pending?.id, error });
        this.#lastRefusal = message;
        if (!/insufficient funds/i.test(message)) return;
      }
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

function keepNewest(done: readonly Done[]): Done[] {
  const kept = done.slice(-DONE_KEPT);
  return kept.map(({ id, hash, raw }, at) => (raw !== undefined && at >= kept.length - SIGNED_KEPT ? { id, hash, raw } : { id, hash }));
}
