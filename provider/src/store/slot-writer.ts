/** Appends a body to a slot's data in large writes, and hashes its cells, a batch at a time. */
import { PpioError, slotBytes } from "@ppio/core";
import type { ByteSource } from "@ppio/daemon";
import type { StoreFile } from "./file-layer.ts";
import { type CellRun, type HashedCells, hashWholeCells } from "./hashed-cells.ts";
import type { Entry } from "./slot-entry.ts";

/** A multiple of every cell size. */
export const WRITE_BATCH_BYTES = 1 << 20;
/** One that is written, and one that fills: what a body holds in memory at most. */
export const BATCHES_HELD = 2;

export interface WriteOptions {
  readonly entry: Entry;
  readonly file: StoreFile;
  /** Room for BATCHES_HELD batches, each a multiple of the cell's size; the caller's again afterwards. */
  readonly buffer: Uint8Array;
  readonly hashed: HashedCells;
  readonly wrote: (bytes: number) => void;
  readonly steps?: WriteSteps | undefined;
}

/** For a sender that is told how far its body is while it comes. */
export interface WriteSteps {
  /** Whatever is in memory is written where so many bytes of the slot are full; at most WRITE_BATCH_BYTES. */
  readonly stepBytes: number;
  /** Told after every write. */
  readonly onWritten: (receivedBytes: number) => void;
}

/** What arrived before a cut is kept, so that a resume starts there. @throws TOO_LARGE, NO_SPACE, and what disk and body throw */
export async function writeBody(body: ByteSource, options: WriteOptions): Promise<void> {
  const total = slotBytes(options.entry.header);
  const writer = new BatchWriter(options);
  try {
    while (writer.end < total) if (!(await writer.take(body))) return;
    if (await body.more()) throw new PpioError("TOO_LARGE", `The slot has ${total} bytes by its header; more were sent.`);
  } finally {
    await writer.finish();
  }
}

/** Two batches in turn: one fills and is hashed while the system takes the other. */
class BatchWriter {
  readonly #options: WriteOptions;
  readonly #batchBytes: number;
  #turn = 0;
  /** Where the batch that fills stands in the slot. */
  #start: number;
  #filled = 0;
  #writing: Promise<void> | undefined;

  constructor(options: WriteOptions) {
    this.#options = options;
    this.#batchBytes = options.buffer.length / BATCHES_HELD;
    this.#start = options.entry.receivedBytes;
  }

  /** Where the next byte goes. */
  get end(): number {
    return this.#start + this.#filled;
  }

  /** A batch ends where a step or a cell ends, so that only the cell in which a body begins or breaks off has to be read back. */
  get #room(): number {
    const { entry, steps } = this.#options;
    const { header } = entry;
    const room = Math.min(this.#batchBytes - (this.#start % header.cellBytes), slotBytes(header) - this.#start);
    return steps === undefined ? room : Math.min(room, steps.stepBytes - (this.#start % steps.stepBytes));
  }

  /** Fills the batch, and writes it when it is full. @returns false when the body is over */
  async take(body: ByteSource): Promise<boolean> {
    const count = await body.fill(this.#batch.subarray(this.#filled, this.#room));
    this.#filled += count;
    if (this.#filled === this.#room) await this.flush();
    return count > 0;
  }

  /** Hashes the batch, and writes it once the one before is written. @throws what that one threw */
  async flush(): Promise<void> {
    const batch = this.#batch.subarray(0, this.#filled);
    const run = hashWholeCells(this.#options.entry.header, this.#start, batch);
    await this.#settle();
    if (this.#filled === 0) return;
    this.#writing = this.#write(batch, run);
    // Whoever settles is told.
    this.#writing.catch(() => undefined);
    this.#start += this.#filled;
    this.#turn = (this.#turn + 1) % BATCHES_HELD;
    this.#filled = 0;
  }

  /** Returns once nothing is under way. */
  async finish(): Promise<void> {
    await this.flush();
    await this.#settle();
  }

  get #batch(): Uint8Array {
    return this.#options.buffer.subarray(this.#turn * this.#batchBytes, (this.#turn + 1) * this.#batchBytes);
  }

  async #settle(): Promise<void> {
    const writing = this.#writing;
    this.#writing = undefined;
    try {
      await writing;
    } catch (error) {
      // What came after it has no place any more.
      this.#filled = 0;
      throw error;
    }
  }

  async #write(batch: Uint8Array, run: CellRun | undefined): Promise<void> {
    const { entry, file, hashed, wrote, steps } = this.#options;
    const bytesWritten = await file.writev([batch], entry.receivedBytes);
    entry.receivedBytes += bytesWritten;
    wrote(bytesWritten);
    if (bytesWritten !== batch.length) throw new PpioError("NO_SPACE", "The disk took only part of the data; try again later.");
    if (run !== undefined) hashed.set(run);
    steps?.onWritten(entry.receivedBytes);
  }
}
