/**
 * The WebAssembly memory in which kernels run: tables and indices, a window through which cells from elsewhere are copied in blocks, and
 * cells allocated here, which are coded in place. One thread uses it at a time; kernels are synchronous.
 */
import { PpioError } from "../errors.ts";
import { CELLS_MAX } from "./matrix.ts";
import { TABLE_BYTES, tableKernel } from "./table-kernel.ts";

const PAGE_BYTES = 65_536;
const UNIT_BYTES = 128;
/** Half of a small second-level cache. */
const WINDOW_BYTES = 256 * 1024;
const SOURCES_AT = 0;
const TARGETS_AT = 4 * CELLS_MAX;
const TABLES_AT = 8 * CELLS_MAX;
const INDEX_AT = TABLES_AT + TABLE_BYTES * CELLS_MAX;
const WINDOW_AT = INDEX_AT + 2 * 8 * CELLS_MAX * CELLS_MAX;
const CELLS_AT = WINDOW_AT + WINDOW_BYTES;
/** Above what a pipeline keeps in flight. */
const ALLOCATED_BYTES_MAX = 1 << 30;

export type Kernel = (...parameters: number[]) => void;

export class SimdMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #tableKernel: Kernel;
  #index: Uint16Array | undefined;
  #free = CELLS_AT;

  /** @param cellBytes room for cells to allocate; at most 1 GiB */
  constructor(cellBytes = 0) {
    if (!(Number.isInteger(cellBytes) && cellBytes >= 0 && cellBytes <= ALLOCATED_BYTES_MAX))
      throw new PpioError("BAD_FORMAT", `Room for cells is 0 to ${ALLOCATED_BYTES_MAX} bytes.`);
    const pages = Math.ceil((CELLS_AT + cellBytes) / PAGE_BYTES);
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#tableKernel = this.instantiate(tableKernel());
  }

  instantiate(bytes: Uint8Array<ArrayBuffer>): Kernel {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { m: this.#memory } });
    return instance.exports["run"] as Kernel;
  }

  /** A cell that is coded without a copy. @param length a multiple of 128 @throws BAD_FORMAT when there is no room left */
  allocate(length: number): Uint8Array {
    if (!(Number.isInteger(length) && length > 0 && length % UNIT_BYTES === 0))
      throw new PpioError("BAD_FORMAT", `A cell's length is a positive multiple of ${UNIT_BYTES} bytes.`);
    if (this.#free + length > this.#memory.buffer.byteLength) throw new PpioError("BAD_FORMAT", "The coder's memory has no room left.");
    const cell = new Uint8Array(this.#memory.buffer, this.#free, length);
    this.#free += length;
    return cell;
  }

  /** Codes with an index of the table kernel or, when there is one, with a kernel made for the matrix. */
  run(index: Uint16Array, sources: readonly Uint8Array[], targets: readonly Uint8Array[], straight: Kernel | undefined): void {
    const { buffer } = this.#memory;
    const length = sources[0]?.length ?? 0;
    const cells = [...sources, ...targets];
    const outside = cells.filter((cell) => cell.buffer !== buffer).length;
    const blockBytes = outside === 0 ? length : Math.min(length, Math.floor(WINDOW_BYTES / outside / UNIT_BYTES) * UNIT_BYTES);
    const window = new Uint8Array(buffer);
    let next = WINDOW_AT;
    const at = cells.map((cell) => {
      if (cell.buffer === buffer) return cell.byteOffset;
      next += blockBytes;
      return next - blockBytes;
    });
    const view = new Uint32Array(buffer);
    if (straight === undefined) this.#load(index);
    for (let from = 0; from < length; from += blockBytes) {
      const size = Math.min(blockBytes, length - from);
      cells.forEach((cell, position) => {
        const isInside = cell.buffer === buffer;
        const isSource = position < sources.length;
        const place = (isSource ? SOURCES_AT : TARGETS_AT - 4 * sources.length) / 4 + position;
        view[place] = (at[position] ?? 0) + (isInside ? from : 0);
        if (isSource && !isInside) window.set(cell.subarray(from, from + size), at[position]);
      });
      if (straight !== undefined) straight(SOURCES_AT, TARGETS_AT, 0, size);
      else this.#tableKernel(SOURCES_AT, sources.length, INDEX_AT, 8 * targets.length, TARGETS_AT, 0, size, TABLES_AT);
      targets.forEach((target, position) => {
        const place = at[sources.length + position] ?? 0;
        if (target.buffer !== buffer) target.set(window.subarray(place, place + size), from);
      });
    }
  }

  #load(index: Uint16Array): void {
    if (this.#index === index) return;
    new Uint16Array(this.#memory.buffer, INDEX_AT, index.length).set(index);
    this.#index = index;
  }
}
