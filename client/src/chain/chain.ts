/** The contracts as the library uses them: typed handles, reads that outlast an outage, transactions that are sent once. */
import { type AddressBook, isNonceTaken, isPpioError, PpioError, type SigningDomain, withGasMargin } from "@ppio/core";
import {
  type IDrandBeacon,
  IDrandBeacon__factory,
  type IPossessionProofs,
  IPossessionProofs__factory,
  type IProviderRegistry,
  IProviderRegistry__factory,
  type IStorageMarket,
  IStorageMarket__factory,
  type IVerifierCommittee,
  IVerifierCommittee__factory,
} from "@ppio/core/interfaces";
import type { ContractTransactionResponse, Provider, Signer, TransactionReceipt } from "ethers";
import { type Clock, type Log, throwIfAborted } from "../deps.ts";
import { type ChainRetry, createChainRetry, isChainUnreachable, type RetryOptions } from "./retry.ts";
import { explain } from "./revert.ts";
import { createTokenContract, type TokenContract } from "./token.ts";

export interface Chain {
  readonly book: AddressBook;
  readonly domain: SigningDomain;
  readonly provider: Provider;
  readonly market: IStorageMarket;
  readonly registry: IProviderRegistry;
  readonly proofs: IPossessionProofs;
  readonly beacon: IDrandBeacon;
  readonly committee: IVerifierCommittee;
  readonly token: TokenContract;
  /** The signer of transactions and typed data; throws `CONFIG` when the client was made without one. */
  signer(): Signer;
  address(): Promise<string>;
  /** A read, repeated while the chain is unreachable; reverts come back as the family's errors. */
  read<T>(what: string, call: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Sends a transaction and waits for its receipt, unless it is let go. */
  send(options: SendOptions): Promise<TransactionReceipt | undefined>;
}

export interface SendOptions {
  readonly what: string;
  /** Sends it; must be safe to repeat when `isDone` says that nothing happened. */
  readonly submit: () => Promise<ContractTransactionResponse>;
  /** Whether the chain shows the effect already; asked after an outage, so that nothing is paid twice. */
  readonly isDone: () => Promise<boolean>;
  /** Whether a refusal means that another process of the same wallet was faster, so that it is worth another try. */
  readonly isOvertaken?: (refusal: PpioError) => boolean;
  /** Nobody depends on it: it is left to the chain once a node has taken it, and there is no receipt. */
  readonly isLetGo?: boolean;
  readonly signal?: AbortSignal;
}

export interface ChainOptions {
  readonly addressBook: AddressBook;
  readonly provider: Provider;
  readonly signer?: Signer;
  readonly clock: Clock;
  readonly log: Log;
  readonly retry?: RetryOptions;
}

const SUBMITS_MAX = 12;
const RECEIPT_MS = 120_000;
/** A receipt is asked for again after so much of the time that it has taken: chains make blocks every few hundred milliseconds or every 12 s. */
const RECEIPT_PAUSE_SHARE = 0.1;
const RECEIPT_PAUSE_MIN_MS = 100;
const RECEIPT_PAUSE_MAX_MS = 1_000;
const OVERTAKEN_PAUSE_MS = 1_000;

function isRevertedInBlock(error: unknown): boolean {
  return isPpioError(error, "CHAIN_REVERT") && "hash" in error.details;
}

export function createChain(options: ChainOptions): Chain {
  const { addressBook: book, provider, log, clock } = options;
  const signer = options.signer === undefined || options.signer.provider !== null ? options.signer : options.signer.connect(provider);
  const runner = signer === undefined ? provider : withGasMargin(signer);
  const retry: ChainRetry = createChainRetry(clock, log, options.retry);
  const requireSigner = (): Signer => {
    if (signer !== undefined) return signer;
    throw new PpioError("CONFIG", 'This needs a wallet, and the client has none; run "ppio init" or pass a signer.');
  };
  const read: Chain["read"] = (what, call, signal) => retry.run(what, call, signal).catch((error) => Promise.reject(explain(error)));

  const receiptOf = async (what: string, hash: string, signal: AbortSignal | undefined): Promise<TransactionReceipt> => {
    const sinceMs = clock.nowMs();
    for (;;) {
      const receipt = await read(`receipt of ${what}`, () => provider.getTransactionReceipt(hash), signal);
      if (receipt !== null) return receipt;
      const tookMs = clock.nowMs() - sinceMs;
      if (tookMs >= RECEIPT_MS) throw new PpioError("TIMEOUT", `The transaction ${hash} (${what}) was not mined in time.`);
      await clock.sleep(Math.min(Math.max(RECEIPT_PAUSE_SHARE * tookMs, RECEIPT_PAUSE_MIN_MS), RECEIPT_PAUSE_MAX_MS), signal);
    }
  };

  const sendNow: Chain["send"] = async ({ what, submit, isDone, isOvertaken: isLate = () => false, isLetGo = false, signal }) => {
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(signal);
      try {
        const response = await submit();
        log.info("transaction sent", { what, hash: response.hash });
        if (isLetGo) return undefined;
        const receipt = await receiptOf(what, response.hash, signal);
        if (receipt.status !== 1) {
          throw new PpioError("CHAIN_REVERT", `The transaction ${response.hash} (${what}) was reverted.`, {
            details: { hash: receipt.hash },
          });
        }
        return receipt;
      } catch (error) {
        if (await read(`state after ${what}`, isDone, signal)) return undefined;
        // One that was reverted in its block had passed the estimate: the next estimate says why, or that it was overtaken.
        const isOvertaken = isNonceTaken(error) || isRevertedInBlock(error) || isLate(explain(error));
        if (!(isOvertaken || isChainUnreachable(error)) || attempt >= SUBMITS_MAX) throw explain(error);
        log.warn("the transaction did not reach the chain; sending again", { what, isOvertaken });
        if (isOvertaken) await clock.sleep(OVERTAKEN_PAUSE_MS, signal);
      }
    }
  };

  // One after the other: nonces and permits of one wallet are a single sequence.
  let tail: Promise<unknown> = Promise.resolve();
  const send: Chain["send"] = (options) => {
    const result = tail.then(() => sendNow(options));
    tail = result.catch(() => undefined);
    return result;
  };

  return {
    book,
    domain: { chainId: BigInt(book.chainId), market: book.market },
    provider,
    market: IStorageMarket__factory.connect(book.market, runner),
    registry: IProviderRegistry__factory.connect(book.registry, runner),
    proofs: IPossessionProofs__factory.connect(book.proofs, runner),
    beacon: IDrandBeacon__factory.connect(book.beacon, runner),
    committee: IVerifierCommittee__factory.connect(book.committee, runner),
    token: createTokenContract(book.token, runner),
    signer: requireSigner,
    address: () => requireSigner().getAddress(),
    read,
    send,
  };
}
