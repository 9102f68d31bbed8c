/**
 * Whose turn it is. Any number of oracles may run and none knows of the others: each waits, from when it first sees that something is to
 * be done, for a share of a bounded time that the duty's name and its own address decide. The first one in that order does it; the others
 * see it done. A dead one costs the others no more than the bound. Nothing is random, so the order can be computed by anybody.
 */
import { turnShare } from "@ppio/daemon";
import { solidityPackedKeccak256 } from "ethers";

/** Remembered at once; the least recently seen goes first, and would only wait again. */
const DUTIES_MAX = 4_096;
/** A duty that was not due for so long begins anew: it was done, and something undid it. */
const FORGET_MS = 60_000;

export class Turns {
  readonly #address: string;
  readonly #now: () => number;
  readonly #seen = new Map<string, { readonly first: number; readonly last: number }>();

  constructor(address: string, now: () => number = Date.now) {
    this.#address = address;
    this.#now = now;
  }

  /** Whether to do now what is still to be done: called again and again while it is. */
  isMine(duty: string, spreadMs: number): boolean {
    const now = this.#now();
    const known = this.#seen.get(duty);
    const first = known !== undefined && now - known.last < FORGET_MS ? known.first : now;
    this.#seen.delete(duty);
    this.#seen.set(duty, { first, last: now });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > DUTIES_MAX && oldest !== undefined) this.#seen.delete(oldest);
    return now - first >= turnDelayMs(duty, this.#address, spreadMs);
  }
}

/** From 0 up to `spreadMs`, which it never is. */
export function turnDelayMs(duty: string, address: string, spreadMs: number): number {
  return Math.floor(turnShare(solidityPackedKeccak256(["string", "address"], [duty, address])) * spreadMs);
}
