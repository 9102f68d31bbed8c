/**
 * Plaintext of a stored object, in order: reads batches of rows ahead of the consumer within a fixed amount of memory, opens the
 * frames, and cuts to the range asked for. Who reads here holds the keys, which nobody else has, so the frames' own tags show that every
 * byte is the one that was stored (docs/adr/0026-reads-by-tags.md). When one does not fit, what was read is read again and held against
 * the roots on the chain, which name the provider that sent something else; from then on so is all that this read still needs.
 */
import { type Frame, isPpioError, type Manifest, type ManifestPart, type ObjectPlan, PpioError, planObject } from "@ppio/core";
import { hexlify } from "ethers";
import type { Context } from "../context.ts";
import { throwIfAborted } from "../deps.ts";
import { checkCommitment, createSealer } from "../seal/index.ts";
import { workersFor } from "../workers/pool.ts";
import { newObject, type ObjectTask } from "../workers/tasks.ts";
import { openReader } from "./deal-reader.ts";
import { createRoom } from "./room.ts";

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

/** Batches read ahead of the one in use. */
const BATCHES_AHEAD = 2;

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

interface RowBatch {
  readonly firstRow: number;
  readonly rowCount: number;
  readonly frames: readonly Frame[];
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
  const batches = planRowBatches(context, plan, from, to);
  const lastCell = batches.at(-1)?.frames.at(-1)?.cell ?? 0;
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
  const openOnce = async ({ firstRow, rowCount, frames }: RowBatch): Promise<readonly Uint8Array[]> => {
    const want = [...new Set(frames.map((frame) => frame.cell % k))];
    const rows = await reader.readRows(firstRow, rowCount, want, stop.signal);
    const slots = [...rows].map(([slotIndex, cells]) => ({ slotIndex, cells }));
    const firstFrame = frames[0]?.index ?? 0;
    const opened = await workers.run("open", { ...task, firstFrame, frameCount: frames.length, firstRow, slots });
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
  const ahead: Promise<readonly Uint8Array[]>[] = [];
  try {
    let next = 0;
    for (let at = 0; at < batches.length; at += 1) {
      throwIfAborted(signal);
      for (; next < batches.length && next < at + BATCHES_AHEAD; next += 1) {
        const batch = openBatch(batches[next] as RowBatch);
        batch.catch(() => {});
        ahead.push(batch);
      }
      for (const [index, plaintext] of (await (ahead.shift() ?? [])).entries()) {
        const frame = batches[at]?.frames[index];
        if (frame === undefined) continue;
        const cutFrom = Math.max(0, from - frame.plainOffset);
        const cutTo = Math.min(plaintext.length, to - frame.plainOffset);
        if (cutFrom < cutTo) yield plaintext.subarray(cutFrom, cutTo);
      }
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    stop.abort(new PpioError("CANCELLED", "The read was given up."));
    reader.close();
  }
}

/**
 * Batches of rows that hold [from, to), with the frames in them, small enough that what is read ahead fits the memory. The first is one
 * row, so that the first byte does not wait for a full batch; the others grow.
 */
function planRowBatches(context: Context, plan: ObjectPlan, from: number, to: number): RowBatch[] {
  const { k, cellBytes } = plan.header;
  const { getBufferBytes, requestBytesMax } = context.limits;
  // Of one the cells are read, the other one is there twice while it is opened, and plaintext of the one before is handed out.
  const fitting = Math.floor(getBufferBytes / (2 * BATCHES_AHEAD * k * cellBytes));
  const rowsPerBatch = Math.max(1, Math.min(fitting, Math.floor(requestBytesMax / cellBytes)));
  const firstFrame = plan.frameAt(from);
  const lastFrame = to > from ? plan.frameAt(to - 1) : firstFrame;
  const lastRow = Math.floor(lastFrame / k);
  const batches: RowBatch[] = [];
  let rowCount = 1;
  for (let firstRow = Math.floor(firstFrame / k); firstRow <= lastRow; firstRow += rowCount) {
    if (batches.length > 0) rowCount = Math.min(2 * rowCount, rowsPerBatch, lastRow + 1 - firstRow);
    const begin = Math.max(firstFrame, firstRow * k);
    const end = Math.min(lastFrame, (firstRow + rowCount) * k - 1);
    batches.push({ firstRow, rowCount, frames: Array.from({ length: end - begin + 1 }, (_, at) => plan.frame(begin + at)) });
  }
  return batches;
}
