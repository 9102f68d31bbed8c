/**
 * The WebAssembly memory in which kernels run (memory-map), a window through which cells from elsewhere are copied in blocks, and cells
 * allocated here, which are coded in place. One thread uses it at a time; kernels are synchronous.
 */
import { PpioError } from "../errors.ts";
import { CELLS_AT, SOURCES_AT, SPREAD_BYTES, TARGETS_AT, UNIT_BYTES, WINDOW_AT, WINDOW_BYTES } from "./memory-map.ts";

const PAGE_BYTES = 65_536;
/** Cells whose length is a multiple of it are spread. */
const CACHE_WAY_BYTES = 4096;
/** Above what a pipeline keeps in flight. */
const ALLOCATED_BYTES_MAX = 1 << 30;

export type Kernel = (...parameters: number[]) => void;
/** Codes the first `bytes` bytes of the cells whose addresses are in the tables at SOURCES_AT and TARGETS_AT. */
export type Coding = (bytes: number) => void;

interface Block {
  readonly from: number;
  readonly to: number;
  /** Where places for cells from elsewhere begin. */
  readonly window: number;
  readonly read: boolean;
}

export class SimdMemory {
  /** What was decoded here with tables, though transforms would be faster. */
  readonly transformable = { bytes: 0 };
  readonly #memory: WebAssembly.Memory;
  readonly #buffer: ArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #kernels = new Map<string, Kernel>();
  readonly #loaded = new Map<number, ArrayBufferView>();
  #free = CELLS_AT;

  /** @param cellBytes room for cells to allocate; at most 1 GiB */
  constructor(cellBytes = 0) {
    if (!(Number.isInteger(cellBytes) && cellBytes >= 0 && cellBytes <= ALLOCATED_BYTES_MAX))
      throw new PpioError("BAD_FORMAT", `Room for cells is 0 to ${ALLOCATED_BYTES_MAX} bytes.`);
    const spread = Math.ceil(cellBytes / CACHE_WAY_BYTES) * SPREAD_BYTES;
    const pages = Math.ceil((CELLS_AT + cellBytes + spread) / PAGE_BYTES);
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#buffer = this.#memory.buffer;
    this.#bytes = new Uint8Array(this.#buffer);
    this.#words = new Uint32Array(this.#buffer);
  }

  instantiate(bytes: Uint8Array<ArrayBuffer>): Kernel {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { m: this.#memory } });
    return instance.exports["run"] as Kernel;
  }

  /** A kernel that serves many programs, made when it is first asked for and kept; their number is bounded (docs/limits.md). */
  shared(name: string, make: () => Uint8Array<ArrayBuffer>): Kernel {
    const known = this.#kernels.get(name);
    if (known !== undefined) return known;
    const kernel = this.instantiate(make());
    this.#kernels.set(name, kernel);
    return kernel;
  }

  /** A cell that is coded without a copy. @param length a multiple of 128 @throws BAD_FORMAT when there is no room left */
  allocate(length: number): Uint8Array {
    if (!(Number.isInteger(length) && length > 0 && length % UNIT_BYTES === 0))
      throw new PpioError("BAD_FORMAT", `A cell's length is a positive multiple of ${UNIT_BYTES} bytes.`);
    if (this.#free + length > this.#bytes.length) throw new PpioError("BAD_FORMAT", "The coder's memory has no room left.");
    const cell = new Uint8Array(this.#buffer, this.#free, length);
    this.#free += length + (length % CACHE_WAY_BYTES === 0 ? SPREAD_BYTES : 0);
    return cell;
  }

  /** Puts what a program needs at `at`, where it has room, unless it is there. */
  load(at: number, image: Uint16Array | Uint32Array): void {
    if (this.#loaded.get(at) === image) return;
    this.#bytes.set(new Uint8Array(image.buffer, image.byteOffset, image.byteLength), at);
    this.#loaded.set(at, image);
  }

  run(coding: Coding, sources: readonly Uint8Array[], targets: readonly Uint8Array[]): void {
    const length = sources[0]?.length ?? 0;
    const outside = this.#countOutside(sources) + this.#countOutside(targets);
    const blockBytes = outside === 0 ? length : Math.min(length, Math.floor(WINDOW_BYTES / outside / UNIT_BYTES) * UNIT_BYTES);
    for (let from = 0; from < length; from += blockBytes) {
      const to = Math.min(length, from + blockBytes);
      const free = this.#place(sources, SOURCES_AT, { from, to, window: WINDOW_AT, read: true });
      this.#place(targets, TARGETS_AT, { from, to, window: free, read: false });
      coding(to - from);
      if (outside > 0) this.#copyOut(targets, from, to);
    }
  }

  #countOutside(cells: readonly Uint8Array[]): number {
    let outside = 0;
    for (const cell of cells) if (cell.buffer !== this.#buffer) outside += 1;
    return outside;
  }

  /** Writes the addresses of [from, to) of the cells to a table; cells from elsewhere get a place in the window. Returns its free part. */
  #place(cells: readonly Uint8Array[], table: number, { from, to, window, read }: Block): number {
    let free = window;
    let place = table / 4;
    for (const cell of cells) {
      if (cell.buffer === this.#buffer) this.#words[place] = cell.byteOffset + from;
      else {
        this.#words[place] = free;
        if (read) this.#bytes.set(to - from === cell.length ? cell : cell.subarray(from, to), free);
        free += to - from + SPREAD_BYTES;
      }
      place += 1;
    }
    return free;
  }

  #copyOut(targets: readonly Uint8Array[], from: number, to: number): void {
    targets.forEach((target, position) => {
      const at = this.#words[TARGETS_AT / 4 + position] ?? 0;
      if (target.buffer !== this.#buffer) target.set(this.#bytes.subarray(at, at + to - from), from);
    });
  }
}
