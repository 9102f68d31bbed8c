/**
 * Plaintext of a stored object, in order: reads batches of rows ahead of the consumer within a fixed amount of memory, opens the
 * frames, and cuts to the range asked for. Who reads here holds the keys, which nobody else has, so the frames' own tags show that every
 * byte is the one that was stored (docs/adr/0026-reads-by-tags.md). When one does not fit, what was read is read again and held against
 * the roots on the chain, which name the provider that sent something else; from then on so is all that this read still needs.
 */
import { isPpioError, type Manifest, type ManifestPart, PpioError, planObject } from "@ppio/core";
import { hexlify } from "ethers";
import type { Context } from "../context.ts";
import { throwIfAborted } from "../deps.ts";
import { checkCommitment, createSealer } from "../seal/index.ts";
import { workersFor } from "../workers/pool.ts";
import { newObject, type ObjectTask } from "../workers/tasks.ts";
import { openReader } from "./deal-reader.ts";
import { createRoom } from "./room.ts";
import { BATCHES_AHEAD, type RowBatch, rowBatches } from "./row-batches.ts";

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ReadObjectOptions {
  readonly manifest: Manifest;
  readonly contentKey: Uint8Array;
  /** All of the object without it; cut to the object's end. */
  readonly range?: ByteRange;
  readonly signal?: AbortSignal;
}

export async function* readObject(context: Context, options: ReadObjectOptions): AsyncGenerator<Uint8Array> {
  const { manifest } = options;
  const from = options.range?.offset ?? 0;
  const to = Math.min(manifest.sizeBytes, from + (options.range?.length ?? manifest.sizeBytes));
  let base = 0;
  for (const part of manifest.parts) {
    const first = Math.max(from, base) - base;
    const last = Math.min(to, base + part.sizeBytes) - base;
    if (first < last || (part.sizeBytes === 0 && manifest.sizeBytes === 0)) yield* readPart(context, options, part, first, last);
    base += part.sizeBytes;
  }
}

interface BatchAhead {
  readonly firstFrame: number;
  /** Plaintext of each frame. */
  readonly opened: Promise<readonly Uint8Array[]>;
}

async function* readPart(context: Context, options: ReadObjectOptions, part: ManifestPart, from: number, to: number) {
  const { manifest, contentKey, signal } = options;
  const { k, n, cellBytes } = part.header;
  const shape = { sizeBytes: part.sizeBytes, k, n, cellBytes };
  const plan = planObject(shape);
  if (part.offset !== 0)
    throw new PpioError("BAD_FORMAT", "The object shares its deal with others, which this version cannot read; update it.");
  if (plan.header.rows !== part.header.rows || plan.header.lastCellBytes !== part.header.lastCellBytes) {
    throw new PpioError("BAD_FORMAT", "The manifest's deal header does not fit the object's size.");
  }
  const seal = {
    contentKey,
    applicationSecret: context.applicationSecret,
    salt: part.salt,
    fillKey: part.fillKey,
    objectId: manifest.objectId,
    objectVersion: manifest.objectVersion,
    objectHeader: manifest.objectHeader,
  };
  checkCommitment(createSealer(seal, cellBytes), part.commitment);
  const task: ObjectTask = { object: newObject(), seal, plan: shape };
  const workers = workersFor(context.workers, to - from);
  const room = createRoom();
  const lastCell = plan.frame(plan.frameAt(Math.max(from, to - 1))).cell;
  let isChecked = false;
  const reader = await openReader(context, {
    dealId: hexlify(part.dealId),
    // Of the last row no cell behind the last one; coded cells may stand for any.
    endRowOf: (slotIndex) => Math.floor(lastCell / k) + (slotIndex > lastCell % k && slotIndex < k ? 0 : 1),
    workers,
    room,
    isChecked: () => isChecked,
    ...(signal === undefined ? {} : { signal }),
  });
  const openOnce = async ({ firstRow, rowCount, firstFrame, frameCount }: RowBatch): Promise<readonly Uint8Array[]> => {
    const want = [...new Set(Array.from({ length: frameCount }, (_, at) => plan.frame(firstFrame + at).cell % k))];
    const rows = await reader.readRows(firstRow, rowCount, want, stop.signal);
    const slots = [...rows].map(([slotIndex, cells]) => ({ slotIndex, cells }));
    const opened = await workers.run("open", { ...task, firstFrame, frameCount, firstRow, slots });
    for (const { cells } of opened.slots) room.give(cells);
    return opened.frames;
  };
  const openBatch = async (batch: RowBatch): Promise<readonly Uint8Array[]> => {
    const wasChecked = isChecked;
    try {
      return await openOnce(batch);
    } catch (error) {
      if (wasChecked || !isPpioError(error, "CORRUPT")) throw error;
      isChecked = true;
      return openOnce(batch);
    }
  };
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const batches = rowBatches(context.limits, plan, from, to);
  const ahead: BatchAhead[] = [];
  try {
    for (;;) {
      throwIfAborted(signal);
      while (ahead.length < BATCHES_AHEAD) {
        const { value: batch } = batches.next();
        if (batch === undefined) break;
        const opened = openBatch(batch);
        opened.catch(() => {});
        ahead.push({ firstFrame: batch.firstFrame, opened });
      }
      const first = ahead.shift();
      if (first === undefined) break;
      for (const [at, plaintext] of (await first.opened).entries()) {
        const { plainOffset } = plan.frame(first.firstFrame + at);
        const cutFrom = Math.max(0, from - plainOffset);
        const cutTo = Math.min(plaintext.length, to - plainOffset);
        if (cutFrom < cutTo) yield plaintext.subarray(cutFrom, cutTo);
      }
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    stop.abort(new PpioError("CANCELLED", "The read was given up."));
    reader.close();
  }
}
