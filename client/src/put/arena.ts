/**
 * The memory of a put: a fixed number of equal arenas, handed out and taken back. Whoever produces waits for a free one, so the slowest
 * consumer sets the pace and memory stays flat whatever the object's size.
 */
import { type DealHeader, PpioError } from "@ppio/core";

/** Memory for one batch of rows. */
export interface Arena {
  /** One buffer per slot. */
  readonly slots: readonly Uint8Array[];
}

export interface ArenaShape {
  readonly slotCount: number;
  /** Of one batch. */
  readonly bytesPerSlot: number;
  /** Whether workers see it too. */
  readonly isShared: boolean;
}

export interface ArenaPool {
  acquire(): Promise<Arena>;
  release(arena: Arena): void;
  /** Largest number of bytes that were handed out at once. */
  readonly bytesInFlightMax: number;
}

/** How a put or a repair is cut into batches of rows. */
export interface BatchPlan {
  readonly rowsPerBatch: number;
  readonly arenas: number;
}

/** One is read and sealed, one is sent, and one waits for the slowest provider. */
const ARENAS = 3;

/**
 * Rows per batch so that all arenas fit in `bufferBytes`; at least one row.
 * @param rowBytes of an arena for each row @param workers that fill arenas besides
 */
export function planBatches(
  header: DealHeader,
  rowBytes: number,
  bufferBytes: number,
  requestBytesMax: number,
  workers: number,
): BatchPlan {
  const wanted = ARENAS + Math.max(0, workers - 1);
  const fitting = Math.floor(bufferBytes / (wanted * rowBytes));
  const rowsPerBatch = Math.max(1, Math.min(fitting, Math.floor(requestBytesMax / header.cellBytes), header.rows));
  const batches = Math.ceil(header.rows / rowsPerBatch);
  return { rowsPerBatch, arenas: Math.min(fitting >= 1 ? wanted : 2, batches) };
}

export function createArenaPool(shape: ArenaShape, arenas: number): ArenaPool {
  const { slotCount, bytesPerSlot } = shape;
  const free: Arena[] = [];
  const waiting: ((arena: Arena) => void)[] = [];
  let made = 0;
  let out = 0;
  let outMax = 0;
  const arenaBytes = slotCount * bytesPerSlot;

  const make = (): Arena => {
    made += 1;
    const memory = new Uint8Array(shape.isShared ? new SharedArrayBuffer(arenaBytes) : new ArrayBuffer(arenaBytes));
    return { slots: Array.from({ length: slotCount }, (_, at) => memory.subarray(at * bytesPerSlot, (at + 1) * bytesPerSlot)) };
  };

  return {
    async acquire() {
      const arena = free.pop() ?? (made < arenas ? make() : await new Promise<Arena>((resolve) => waiting.push(resolve)));
      out += 1;
      outMax = Math.max(outMax, out);
      return arena;
    },
    release(arena) {
      if (out === 0) throw new PpioError("INTERNAL", "A buffer was given back twice.");
      out -= 1;
      const next = waiting.shift();
      if (next === undefined) free.push(arena);
      else next(arena);
    },
    get bytesInFlightMax() {
      return outMax * arenaBytes;
    },
  };
}
