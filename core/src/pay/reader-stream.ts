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

/** A stream as it was when its state was put together for the disk. */
export interface StreamMark {
  readonly settledWei: bigint;
  readonly lostWei: bigint;
}

export const NEW_STREAM: StreamState = { limitWei: 0n, owedWei: 0n, lostWei: 0n };

export class ReaderStream {
  #state: StreamState;
  /** Up to where an earlier process, or another one, may have signed without telling what it owes. */
  #trustedWei: bigint;
  #underWayWei = 0n;

  constructor(state: StreamState = NEW_STREAM) {
    this.#state = state;
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

  /**
   * What the disk shall say, by what it says now: without the reads under way. Of two processes that read in one stream the higher count
   * stays: the provider tells each of them what the other one owes, so a sum would count it twice.
   * @param limitWei at least this
   */
  merged(stored: StreamState = NEW_STREAM, limitWei = 0n): StreamState {
    const owedWei = max(stored.owedWei, this.#settledWei);
    return { limitWei: max(stored.limitWei, limitWei), owedWei, lostWei: min(max(stored.lostWei, this.#state.lostWei), owedWei) };
  }

  /** Remembers how it is, for `synced`. */
  mark(): StreamMark {
    return { settledWei: this.#settledWei, lostWei: this.#state.lostWei };
  }

  /**
   * The disk says `merged` now, which was made at `mark`.
   * @param trustedWei up to where others may have signed
   */
  synced(merged: StreamState, mark: StreamMark, trustedWei: bigint): void {
    const owedWei = this.#state.owedWei + max(merged.owedWei - mark.settledWei, 0n);
    const lostWei = this.#state.lostWei + max(merged.lostWei - mark.lostWei, 0n);
    this.#state = { limitWei: merged.limitWei, owedWei, lostWei: min(lostWei, owedWei) };
    this.#trustedWei = max(this.#trustedWei, trustedWei);
  }

  get #settledWei(): bigint {
    return max(this.#state.owedWei - this.#underWayWei, 0n);
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
