/**
 * The streams in which a process signs vouchers, one for each session key and payee: how many reads are under way in each, and what the disk
 * knows of it. Up to where is signed is on the disk before, within what the chain holds; other processes may sign in the same streams.
 */
import { PpioError } from "../errors.ts";
import type { PayFunds } from "./funds.ts";
import type { PayRecord, PayStore } from "./pay-store.ts";
import { ReaderStream } from "./reader-stream.ts";

/** Answers of one provider that are under way at once, each paid ahead. */
export const PAID_READS_AT_ONCE = 4;
/** The reserve on the chain is looked at again after so long, when it does not reach. */
const FUNDS_KEPT_MS = 1_000;

export interface PaidStreamsOptions {
  readonly store: PayStore;
  readonly funds: PayFunds;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
}

export interface OpenStream {
  readonly key: string;
  readonly payee: string;
  readonly stream: ReaderStream;
  /** What this process wrote last; nothing before it did. */
  writtenLimitWei: bigint | undefined;
  /** Another process signs in it as well, or died doing so. */
  hasOthers: boolean;
  underWay: number;
  readonly waiting: (() => void)[];
}

export class PaidStreams {
  readonly #options: PaidStreamsOptions;
  readonly #onRecord: (record: PayRecord) => void;
  readonly #streams = new Map<string, OpenStream>();
  #spendable: { readonly wei: bigint; readonly atMs: number } | undefined;
  /** Store and streams change one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param onRecord told of the account as it was written last */
  constructor(options: PaidStreamsOptions, onRecord: (record: PayRecord) => void) {
    this.#options = options;
    this.#onRecord = onRecord;
  }

  of({ key, streams }: PayRecord, payee: string): OpenStream {
    const id = `${key.address}/${payee}`;
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const stored = streams.find((stream) => stream.key === key.address && stream.payee === payee);
    const open: OpenStream = {
      key: key.address,
      payee,
      stream: new ReaderStream(stored),
      writtenLimitWei: undefined,
      hasOthers: false,
      underWay: 0,
      waiting: [],
    };
    this.#streams.set(id, open);
    return open;
  }

  /** Tells the disk what is owed in every stream, and that no more was signed. */
  flush(): Promise<void> {
    return this.#exclusively(async () => {
      for (const open of this.#streams.values()) if (open.writtenLimitWei !== undefined) await this.#write(open, 0n, true);
    });
  }

  /** Takes over what other processes have written of a stream. */
  async sync(open: OpenStream): Promise<void> {
    await this.#exclusively(() => this.#write(open, 0n));
  }

  /**
   * Raises on the disk up to where may be signed, by `stepWei` beyond what is needed where the chain holds as much.
   * @throws what `refused` makes of the wei that are needed, when the chain does not hold them
   */
  raise(open: OpenStream, stepWei: bigint, refused: (neededWei: bigint) => PpioError): Promise<void> {
    return this.#exclusively(async () => {
      const needed = open.stream.state.owedWei;
      if (open.writtenLimitWei !== undefined && needed <= open.stream.state.limitWei) return;
      const stored = await this.#options.store.read();
      const others = (stored?.streams ?? []).reduce((sum, stream) => sum + (isOf(open, stream) ? 0n : stream.limitWei), 0n);
      const own = stored?.streams.find((stream) => isOf(open, stream));
      const lowest = open.stream.merged(own).owedWei + open.stream.underWayWei;
      const roomFor = (spendable: bigint): bigint => spendable - others;
      let room = roomFor(await this.#spendableWei(stored, false));
      if (room < lowest) room = roomFor(await this.#spendableWei(stored, true));
      if (room < lowest) throw refused(lowest);
      // Another limit than the one before: whoever wrote that one shall see it.
      const wanted = lowest + stepWei > (own?.limitWei ?? 0n) ? lowest + stepWei : (own?.limitWei ?? 0n) + 1n;
      await this.#write(open, wanted < room ? wanted : room);
    });
  }

  /** Onto what other processes have written. */
  async #write(open: OpenStream, limitWei: bigint, isLast = false): Promise<void> {
    const { store } = this.#options;
    let others = 0n;
    let merged = open.stream.state;
    let mark = open.stream.mark();
    const record = await store.change((known) => {
      if (known === undefined) throw new PpioError("NOT_FOUND", "The account that pays for reads was removed.");
      const stored = known.streams.find((stream) => isOf(open, stream));
      // Nobody signs in a stream whose limit is what it owes.
      const isShared = stored !== undefined && stored.limitWei !== (open.writtenLimitWei ?? stored.owedWei);
      open.hasOthers ||= isShared;
      others = isShared ? stored.limitWei : 0n;
      merged = open.stream.merged(stored, limitWei);
      mark = open.stream.mark();
      // Nobody else signs in it and nothing is under way: no more was signed than is owed.
      if (isLast && !open.hasOthers && open.stream.underWayWei === 0n) merged = { ...merged, limitWei: merged.owedWei };
      const streams = known.streams.filter((stream) => !isOf(open, stream));
      return { ...known, streams: [...streams, { key: open.key, payee: open.payee, ...merged }] };
    });
    this.#onRecord(record);
    open.writtenLimitWei = merged.limitWei;
    open.stream.synced(merged, mark, others);
  }

  async #spendableWei(record: PayRecord | undefined, isFresh: boolean): Promise<bigint> {
    const { funds, nowMs } = this.#options;
    const known = this.#spendable;
    if (known !== undefined && (!isFresh || nowMs() - known.atMs < FUNDS_KEPT_MS)) return known.wei;
    if (record === undefined) return 0n;
    const wei = await funds.spendableWei(record.payer, record.streams);
    this.#spendable = { wei, atMs: nowMs() };
    return wei;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/** Waits while as many reads are under way as may be. @throws CANCELLED */
export async function enter(open: OpenStream, signal?: AbortSignal): Promise<void> {
  while (open.underWay >= PAID_READS_AT_ONCE) {
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = (): void => {
        open.waiting.splice(open.waiting.indexOf(go), 1);
        reject(signal?.reason instanceof PpioError ? signal.reason : new PpioError("CANCELLED", "The read was given up."));
      };
      if (signal?.aborted === true) return onAbort();
      signal?.addEventListener("abort", onAbort, { once: true });
      open.waiting.push(go);
    });
  }
  open.underWay += 1;
}

/** A read is over. */
export function leave(open: OpenStream): void {
  open.underWay -= 1;
  open.waiting.shift()?.();
}

function isOf(open: OpenStream, stream: { readonly key: string; readonly payee: string }): boolean {
  return stream.key === open.key && stream.payee === open.payee;
}
