/**
 * A reader's own count of one stream of vouchers (docs/protocol/vouchers.md, "What is owed"): what it owes for reads that it asked for, how
 * much of that it never got, and up to where it may have signed. Pure.
 *
 *     begin: owed += cost          every read is paid ahead: the voucher is owed after it
 *     end:   it came, or the reader gave it up: stays owed;   refused: not owed;   broke off: what came stays owed
 *
 * Reader and provider can differ by answers that were lost on the way: a provider counts what it sent, a reader what came. The provider's
 * credit bridges the first of it; then it tells its count, and the reader takes it over as far as `lostMaxWei` goes: one window, and a
 * sixteenth of what it got.
 *
 * Invariants: owed >= lost >= 0; a voucher is never above limit; what is paid for nothing is at most the cost of the reads under way plus
 * `lostMaxWei`, and after an unclean end what was signed before it.
 */

/** Of what came, so much may be lost. */
const LOST_SHARE = 16n;

export interface StreamState {
  /** No voucher above it was ever signed: raised on the disk before. */
  readonly limitWei: bigint;
  readonly owedWei: bigint;
  /** Part of what is owed that the provider says it sent and that never came. */
  readonly lostWei: bigint;
}

export const NEW_STREAM: StreamState = { limitWei: 0n, owedWei: 0n, lostWei: 0n };

export class ReaderStream {
  #state: StreamState;
  /** As it was when disk and memory were last the same. */
  #saved: StreamState;
  /** Up to where an earlier process, or another one, may have signed without telling what it owes. */
  #trustedWei: bigint;
  #underWayWei = 0n;

  constructor(state: StreamState = NEW_STREAM) {
    this.#state = state;
    this.#saved = state;
    this.#trustedWei = state.limitWei;
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Cost of the reads that have not ended. */
  get underWayWei(): bigint {
    return this.#underWayWei;
  }

  /** A read begins. @returns what its voucher must say */
  begin(costWei: bigint): bigint {
    this.#underWayWei += costWei;
    this.#owe(costWei);
    return this.#state.owedWei;
  }

  /** It came, or the reader did not want it any more. */
  came(costWei: bigint): void {
    this.#underWayWei -= costWei;
  }

  /** Of a read that cost `costWei` only what cost `cameWei` came: 0 when it was refused. */
  broke(costWei: bigint, cameWei: bigint): void {
    this.#underWayWei -= costWei;
    this.#owe(cameWei - costWei);
  }

  /** The most that may be lost, as of now, in a window of `windowWei`. */
  lostMaxWei(windowWei: bigint): bigint {
    return windowWei + (this.#state.owedWei - this.#state.lostWei) / LOST_SHARE;
  }

  /** Takes over what the provider says is owed, if it is within what may have been lost. False when it claims more. */
  adopt(claimedWei: bigint, windowWei: bigint): boolean {
    const { owedWei, lostWei } = this.#state;
    if (claimedWei <= owedWei) return true;
    const isTrusted = claimedWei <= this.#trustedWei;
    const lost = isTrusted ? lostWei : lostWei + claimedWei - owedWei;
    if (lost > this.lostMaxWei(windowWei) && !isTrusted) return false;
    this.#state = { ...this.#state, owedWei: claimedWei, lostWei: lost };
    return true;
  }

  /** What the disk shall say: onto what others have written there meanwhile. @param limitWei at least this */
  merged(stored: StreamState = NEW_STREAM, limitWei = 0n): StreamState {
    const owedWei = max(stored.owedWei + this.#state.owedWei - this.#saved.owedWei, 0n);
    const lostWei = min(max(stored.lostWei + this.#state.lostWei - this.#saved.lostWei, 0n), owedWei);
    return { limitWei: max(stored.limitWei, limitWei), owedWei, lostWei };
  }

  /**
   * The disk says `merged` now, which was made when this stream was `at`.
   * @param trustedWei up to where others may have signed
   */
  synced(merged: StreamState, at: StreamState, trustedWei: bigint): void {
    const since = this.#state;
    const owedWei = merged.owedWei + since.owedWei - at.owedWei;
    this.#saved = merged;
    this.#state = { limitWei: merged.limitWei, owedWei, lostWei: min(merged.lostWei + since.lostWei - at.lostWei, owedWei) };
    this.#trustedWei = max(this.#trustedWei, trustedWei);
  }

  #owe(wei: bigint): void {
    this.#state = { ...this.#state, owedWei: max(this.#state.owedWei + wei, this.#state.lostWei) };
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
