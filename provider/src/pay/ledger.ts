/**
 * The vouchers that this provider holds: the highest of each stream, on the disk before a byte is served for it (docs/protocol/vouchers.md,
 * "What a payee keeps"). A file of lines that is appended to, flushed once for all that came meanwhile, and written anew when most of it is
 * old. What a crash has cut off is no line and was not served for.
 *
 * Invariants: a voucher is acknowledged only when it is on the disk; of a stream the highest one stays; no line is ever changed.
 */
import { type FileHandle, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PpioError } from "@ppio/core";
import { atomicWriteFile, diskError, readIfThere, syncFolder } from "@ppio/daemon";

/** Streams that are kept; more are refused. Each costs its payer a key on the chain. */
export const STREAMS_MAX = 16_384;
/** Lines above two for each stream, before the file is written anew. */
const SPARE_LINES = 1_024;

export interface StreamId {
  readonly payer: string;
  readonly key: string;
  readonly payee: string;
}

/** What is kept of a stream. */
export interface HeldVoucher extends StreamId {
  readonly cumulativeWei: bigint;
  /** 65 bytes, 0x hex, over `cumulativeWei`. */
  readonly signature: string;
  /** Cost of what was served when it came; less than was served since, for a crash must not charge for what was not. */
  readonly owedWei: bigint;
  /** Since when, in Unix milliseconds, something of the stream is not redeemed. */
  readonly openSinceMs: number;
}

export function streamKey({ payer, key, payee }: StreamId): string {
  return `${payer}/${key}/${payee}`;
}

interface Waiting {
  readonly held: HeldVoucher;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class VoucherLedger {
  readonly #path: string;
  readonly #held = new Map<string, HeldVoucher>();
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #file: FileHandle | undefined;
  #lines = 0;

  private constructor(path: string) {
    this.#path = path;
  }

  /** @throws IO */
  static async open(dir: string): Promise<VoucherLedger> {
    const ledger = new VoucherLedger(join(dir, "vouchers.jsonl"));
    const text = new TextDecoder().decode(await readIfThere(ledger.#path));
    for (const line of text.split("\n")) {
      if (line === "") continue;
      ledger.#lines += 1;
      const held = parseLine(line);
      if (held !== undefined) ledger.#take(held);
    }
    return ledger;
  }

  get size(): number {
    return this.#held.size;
  }

  find(id: StreamId): HeldVoucher | undefined {
    return this.#held.get(streamKey(id));
  }

  all(): HeldVoucher[] {
    return [...this.#held.values()];
  }

  /** Resolves when it is on the disk. A voucher that is not higher than the one that is held changes the rest of the record only. @throws IO, NO_SPACE, REFUSED */
  async put(held: HeldVoucher): Promise<void> {
    if (this.#held.size >= STREAMS_MAX && !this.#held.has(streamKey(held))) {
      throw new PpioError("REFUSED", "This provider keeps as many streams of vouchers as it can; use another one or try later.");
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ held, resolve, reject });
      this.#writing ??= this.#write().finally(() => {
        this.#writing = undefined;
      });
    });
  }

  /** Forgets streams that are over; the disk does with the next rewriting. */
  async drop(ids: readonly StreamId[]): Promise<void> {
    if (ids.length === 0) return;
    for (const id of ids) this.#held.delete(streamKey(id));
    await this.#writing;
    await this.#rewrite();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #write(): Promise<void> {
    // Whoever comes in the same turn of the event loop shares the flush.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      try {
        await this.#append(round.map(({ held }) => held));
        for (const { held, resolve } of round) {
          this.#take(held);
          resolve();
        }
      } catch (cause) {
        const error = diskError(cause, this.#path);
        // What a failed flush has left is not known: the next round begins on a new line of a file that is opened anew.
        await this.#file?.close().catch(() => undefined);
        this.#file = undefined;
        for (const { reject } of round) reject(error);
      }
    }
    if (this.#lines > 2 * this.#held.size + SPARE_LINES) await this.#rewrite().catch(() => undefined);
  }

  /** Each on a line of its own, whatever was cut off before it. */
  async #append(round: readonly HeldVoucher[]): Promise<void> {
    if (this.#file === undefined) {
      this.#file = await open(this.#path, "a", 0o600);
      await syncFolder(dirname(this.#path));
    }
    await this.#file.appendFile(round.map((held) => `\n${lineOf(held)}`).join(""));
    await this.#file.datasync();
    this.#lines += round.length;
  }

  async #rewrite(): Promise<void> {
    const text = this.all()
      .map((held) => `${lineOf(held)}\n`)
      .join("");
    await this.#file?.close();
    this.#file = undefined;
    await atomicWriteFile(this.#path, text, { mode: 0o600 });
    this.#lines = this.#held.size;
  }

  #take(held: HeldVoucher): void {
    const id = streamKey(held);
    const known = this.#held.get(id);
    const isHigher = known === undefined || held.cumulativeWei > known.cumulativeWei;
    const { cumulativeWei, signature } = isHigher ? held : known;
    this.#held.set(id, { ...held, cumulativeWei, signature });
  }
}

function lineOf({ cumulativeWei, owedWei, ...rest }: HeldVoucher): string {
  return JSON.stringify({ ...rest, cumulativeWei: String(cumulativeWei), owedWei: String(owedWei) });
}

/** A line that a crash cut off is no voucher. */
function parseLine(line: string): HeldVoucher | undefined {
  try {
    const { payer, key, payee, signature, cumulativeWei, owedWei, openSinceMs } = JSON.parse(line) as Readonly<Record<string, string>>;
    if (payer === undefined || key === undefined || payee === undefined || signature === undefined) return undefined;
    return {
      ...{ payer, key, payee, signature },
      ...{ cumulativeWei: BigInt(cumulativeWei ?? ""), owedWei: BigInt(owedWei ?? ""), openSinceMs: Number(openSinceMs) },
    };
  } catch {
    return undefined;
  }
}
