/** The memory that answers to reads are sent through: within a budget, a large window each while there is room, a small one in a crowd. */
import { NODE_BYTES } from "@ppio/core";
import { BufferPool } from "../store/buffer-pool.ts";
import { Gate } from "./gate.ts";
import { type ProviderLimits, READ_WINDOW_BYTES, READ_WINDOW_BYTES_MAX } from "./limits.ts";
import { windowBufferBytes } from "./read-window.ts";

/** Of each size. */
const BUFFERS_KEPT_MAX = 8;
/** As long as this much of the budget is free, windows are large. */
const ROOMY_SHARE = 0.5;

export class ReadBuffers {
  readonly #gate: Gate;
  readonly #small = new BufferPool(windowBufferBytes(READ_WINDOW_BYTES), BUFFERS_KEPT_MAX);
  readonly #large = new BufferPool(windowBufferBytes(READ_WINDOW_BYTES_MAX), BUFFERS_KEPT_MAX);

  constructor({ readBufferBytes, waitingMax }: ProviderLimits) {
    this.#gate = new Gate(readBufferBytes, waitingMax);
  }

  /**
   * Lends a buffer for a window of `cells`, one at least and `cellCount` at most, for as long as `work` runs.
   * @throws REFUSED when too many wait already
   */
  async lend<T>(cellBytes: number, cellCount: number, work: (buffer: Uint8Array, cells: number) => Promise<T>): Promise<T> {
    const windowBytes = this.#gate.freeShare > ROOMY_SHARE ? READ_WINDOW_BYTES_MAX : Math.max(READ_WINDOW_BYTES, cellBytes);
    const bytes = Math.min(windowBytes, cellCount * cellBytes);
    const pool = bytes > READ_WINDOW_BYTES ? this.#large : this.#small;
    // The head with a root per cell lies beside the window.
    return this.#gate.run(bytes + NODE_BYTES * cellCount, () => pool.lend((buffer) => work(buffer, Math.floor(bytes / cellBytes))));
  }
}
