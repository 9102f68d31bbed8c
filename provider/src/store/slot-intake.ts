/**
 * Slots on their way in: bytes are written, hashed and flushed as they come, compared with the root that their owner names, and made
 * durable. Whoever calls sees to it that nothing else is done with the slot meanwhile.
 */
import { PpioError, slotBytes } from "@ppio/core";
import type { ByteSource } from "@ppio/daemon";
import { BufferPool } from "./buffer-pool.ts";
import { BytesCache } from "./bytes-cache.ts";
import { EarlyFlush } from "./early-flush.ts";
import type { StoreFile } from "./file-layer.ts";
import { HashedCells } from "./hashed-cells.ts";
import { HeldTree } from "./held-tree.ts";
import type { SlotEntries } from "./slot-entries.ts";
import type { Entry } from "./slot-entry.ts";
import type { SlotFiles } from "./slot-files.ts";
import type { SlotMeta } from "./slot-record.ts";
import type { SlotTrees } from "./slot-trees.ts";
import { BATCHES_HELD, WRITE_BATCH_BYTES, type WriteSteps, writeBody } from "./slot-writer.ts";

/** What is known of slots that come in, 33 bytes per cell; what does not fit is read back and hashed at the end. */
const HASHED_BYTES_MAX = 16 << 20;
/** Buffers of bodies that are kept for the next ones. */
const BUFFERS_KEPT_MAX = 4;
/** While an upload comes in, what was written is flushed after so much. */
const FLUSH_EVERY_BYTES = 8 << 20;

export interface IntakeOptions {
  /** While an upload comes in; 8 MiB unless given. */
  readonly flushEveryBytes?: number;
  /** What is written at a time, a multiple of the cells' size; 1 MiB unless given. */
  readonly writeBatchBytes?: number;
}

/** Of the store. */
export interface IntakeParts {
  readonly files: SlotFiles;
  readonly entries: SlotEntries;
  readonly trees: SlotTrees;
  readonly now: () => number;
}

export class SlotIntake {
  readonly #files: SlotFiles;
  readonly #parts: IntakeParts;
  readonly #flushEveryBytes: number;
  readonly #hashed = new BytesCache<HashedCells>(HASHED_BYTES_MAX);
  readonly #buffers: BufferPool;

  constructor(parts: IntakeParts, { flushEveryBytes = FLUSH_EVERY_BYTES, writeBatchBytes = WRITE_BATCH_BYTES }: IntakeOptions) {
    this.#files = parts.files;
    this.#parts = parts;
    this.#flushEveryBytes = flushEveryBytes;
    this.#buffers = new BufferPool(BATCHES_HELD * writeBatchBytes, BUFFERS_KEPT_MAX);
  }

  /** Appends a body. @throws TOO_LARGE, NO_SPACE, IO, and what the body throws */
  write(entry: Entry, body: ByteSource, steps?: WriteSteps): Promise<void> {
    return this.#files.useData(entry.meta.uploadId, "r+", (file) => this.#writeFlushing(entry, file, body, steps));
  }

  /** Whether all bytes are there and have this root. @throws TRUNCATED, CORRUPT, IO */
  async check(entry: Entry, expectedRoot: string): Promise<void> {
    await this.#files.useData(entry.meta.uploadId, "r+", (file) => this.#checkTree(entry, file, expectedRoot));
  }

  /** Checks, and makes the slot durable. @throws TRUNCATED, CORRUPT, NO_SPACE, IO */
  seal(entry: Entry, expectedRoot: string, offeredUntil: number): Promise<void> {
    return this.#files.useData(entry.meta.uploadId, "r+", (file) => this.#sealNow(entry, file, expectedRoot, offeredUntil));
  }

  /** What is known of a slot that is gone. */
  forget(uploadId: string): void {
    this.#hashed.delete(uploadId);
  }

  async #writeFlushing(entry: Entry, file: StoreFile, body: ByteSource, steps?: WriteSteps): Promise<void> {
    const { uploadId } = entry.meta;
    const flush = this.#flushOf(entry);
    const hashed = this.#hashed.get(uploadId) ?? new HashedCells(entry.header);
    this.#hashed.put(uploadId, hashed);
    const total = slotBytes(entry.header);
    const wrote = (bytes: number): void => {
      entry.touchedAt = this.#parts.now();
      flush.wrote(bytes, entry.receivedBytes === total);
    };
    const isSound = async (): Promise<void> => flush.check();
    // What failed since the last body, before anything is built upon it.
    await this.#orStartOver(entry, file, isSound());
    try {
      await this.#buffers.lend((buffer) => writeBody(body, { entry, file, buffer, hashed, wrote, steps }));
    } finally {
      await this.#orStartOver(entry, file, isSound());
    }
  }

  #flushOf(entry: Entry): EarlyFlush {
    const sync = (): Promise<void> =>
      this.#files.useData(entry.meta.uploadId, "r+", (file) => this.#files.syncData(entry.meta.uploadId, file));
    entry.flush ??= new EarlyFlush(sync, this.#flushEveryBytes);
    return entry.flush;
  }

  /** A system that failed to flush forgets what it could not write: a second flush would succeed and mean nothing. */
  async #orStartOver(entry: Entry, file: StoreFile, flushed: Promise<void>): Promise<void> {
    try {
      await flushed;
    } catch (cause) {
      await this.#startOver(entry, file);
      throw cause;
    }
  }

  async #sealNow(entry: Entry, file: StoreFile, expectedRoot: string, offeredUntil: number): Promise<void> {
    const { uploadId } = entry.meta;
    const tree = await this.#checkTree(entry, file, expectedRoot);
    const meta: SlotMeta = { ...entry.meta, state: "sealed", root: expectedRoot, offeredUntil };
    await this.#files.writeSeal(meta, tree.roots, async () => {
      await this.#orStartOver(entry, file, this.#files.syncData(uploadId, file));
      entry.isSealInDoubt = true;
    });
    entry.isSealInDoubt = false;
    entry.meta = meta;
    entry.flush = undefined;
    this.#parts.entries.sealed(entry);
    this.#hashed.delete(uploadId);
    this.#parts.trees.put(uploadId, tree);
  }

  async #checkTree(entry: Entry, file: StoreFile, expectedRoot: string): Promise<HeldTree> {
    const { header, receivedBytes } = entry;
    const { uploadId } = entry.meta;
    const total = slotBytes(header);
    if (receivedBytes < total) {
      throw new PpioError("TRUNCATED", `Only ${receivedBytes} of ${total} bytes have arrived; send the rest first.`, {
        details: { receivedBytes },
      });
    }
    await this.#orStartOver(entry, file, this.#flushOf(entry).end());
    if ((await this.#files.dataStat(uploadId))?.size !== total) {
      // What was hashed as it came in proves nothing about a file that somebody cut or a disk that came back without it.
      await this.#startOver(entry, file);
      throw new PpioError("CORRUPT", "Bytes of this upload have vanished from the disk; upload the slot again.");
    }
    const hashed = this.#hashed.get(uploadId) ?? new HashedCells(header);
    this.#hashed.put(uploadId, hashed);
    await hashed.complete(file);
    const tree = new HeldTree(header, hashed.roots);
    if (tree.root !== expectedRoot) {
      // Which byte was damaged cannot be known.
      await this.#startOver(entry, file);
      throw wrongRoot(tree.root);
    }
    return tree;
  }

  async #startOver(entry: Entry, file: StoreFile): Promise<void> {
    // A sealed record must never stand beside bytes that are gone.
    if (entry.isSealInDoubt) await this.#files.writeRecord(entry.meta);
    entry.isSealInDoubt = false;
    entry.receivedBytes = 0;
    entry.flush = undefined;
    this.#hashed.delete(entry.meta.uploadId);
    // On a disk that refuses, the root tells.
    await file.truncate(0).catch(() => undefined);
  }
}

export function wrongRoot(root: string | null): PpioError {
  return new PpioError("CORRUPT", "The bytes that arrived have another root; upload the slot again.", { details: { root } });
}
