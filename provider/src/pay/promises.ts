/**
 * What payers' accounts on the chain carry, remembered: reads ask the chain when a stream is new, when what is known is old, and when it
 * does not reach; never for every read.
 */
import type { PayFunds, PayPromise } from "@ppio/core";
import { askChain } from "../ask-chain.ts";
import { type StreamId, streamKey } from "./ledger.ts";

/** Then it is asked again while reads go on. */
export const PROMISE_KEPT_MS = 30_000;
/** Then reads wait for the answer: a withdrawal takes longer than this. */
export const PROMISE_KEPT_MS_MAX = 60_000;
/** What does not reach is not asked for more often. */
const ASKED_AGAIN_MS = 2_000;
const KNOWN_MAX = 20_000;

interface Known {
  readonly atMs: number;
  readonly promise: PayPromise;
}

export class Promises {
  readonly #funds: PayFunds;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<PayPromise>>();

  constructor(funds: PayFunds, now: () => number) {
    this.#funds = funds;
    this.#now = now;
  }

  /** As it is known; nothing when it has to be asked for. */
  known(id: StreamId): PayPromise | undefined {
    const known = this.#known.get(streamKey(id));
    if (known === undefined) return undefined;
    const age = this.#now() - known.atMs;
    if (age > PROMISE_KEPT_MS_MAX) return undefined;
    // A failure shows when it has become too old.
    if (age > PROMISE_KEPT_MS) this.ask(id).catch(() => undefined);
    return known.promise;
  }

  /** What the chain said last, however long ago. */
  last(id: StreamId): PayPromise | undefined {
    return this.#known.get(streamKey(id))?.promise;
  }

  /** Whether the chain was asked so lately that asking again is of no use. */
  isFresh(id: StreamId): boolean {
    const known = this.#known.get(streamKey(id));
    return known !== undefined && this.#now() - known.atMs < ASKED_AGAIN_MS;
  }

  /** @throws CHAIN_UNREACHABLE */
  ask(id: StreamId): Promise<PayPromise> {
    const key = streamKey(id);
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const asked = askChain(() => this.#funds.promiseOf(id.payer, id.payee, id.key))
      .then((promise) => {
        this.#known.delete(key);
        this.#known.set(key, { atMs: this.#now(), promise });
        for (const oldest of this.#known.keys()) {
          if (this.#known.size <= KNOWN_MAX) break;
          this.#known.delete(oldest);
        }
        return promise;
      })
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  /** Something happened to the payer's account. */
  forget(id: StreamId): void {
    this.#known.delete(streamKey(id));
  }
}
