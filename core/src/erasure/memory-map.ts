/** Where things lie in the memory of the kernels (SimdMemory), in bytes. */
import { CELLS_MAX } from "./matrix.ts";

export const UNIT_BYTES = 128;
/** Half of a small second-level cache. */
export const WINDOW_BYTES = 256 * 1024;
/** Between cells: when they lie a multiple of 4 KiB apart, they compete for the same few lines of the first-level cache. */
export const SPREAD_BYTES = 192;
/** What a transform decoder works on at a time: its symbols stay in a small second-level cache, and calls are few (docs/performance.md). */
export const CHUNK_BYTES = 2048;
/** Points of a transform: k and n - k cannot both be above 64. */
export const POINTS_MAX = CELLS_MAX / 2;
/** Tables of the sums of four planes of two units, for each source. */
export const TABLE_BYTES = 1024;
/** Two entries of two bytes for each of eight planes of a coefficient, of which there are (k + 3) (n - k) at most: rows are filled up. */
const INDEX_BYTES = 2 * 2 * 8 * Math.ceil((CELLS_MAX + 3) / 2) ** 2;
/** Address tables and scalings of a transform decoder: 24 KiB for the nine blocks of 16 points that a code has at most. */
export const PLAN_BYTES = 32 * 1024;

/** Addresses of the cells that are read and of those that are written. */
export const SOURCES_AT = 0;
export const TARGETS_AT = SOURCES_AT + 4 * CELLS_MAX;
export const TABLES_AT = TARGETS_AT + 4 * CELLS_MAX;
export const INDEX_AT = TABLES_AT + TABLE_BYTES * CELLS_MAX;
export const PLAN_AT = INDEX_AT + INDEX_BYTES;
/** A cell of zeros, then the symbols and the sums of a transform. */
export const ZEROS_AT = PLAN_AT + PLAN_BYTES;
const SYMBOL_BYTES = CHUNK_BYTES + SPREAD_BYTES;
const SYMBOLS_AT = ZEROS_AT + SYMBOL_BYTES;
export const symbolAt = (index: number): number => SYMBOLS_AT + index * SYMBOL_BYTES;
export const sumAt = (index: number): number => symbolAt(POINTS_MAX + index);
export const WINDOW_AT = symbolAt(2 * POINTS_MAX);
export const CELLS_AT = WINDOW_AT + WINDOW_BYTES + SPREAD_BYTES * CELLS_MAX;
