/** What strangers may ask of a provider at once (docs/operating/provider.md). */
import { HTTP_LIMITS, type HttpLimits } from "@ppio/daemon";

export interface ProviderLimits extends HttpLimits {
  /** A body or a reader that does not move for so long is given up. */
  readonly stallMs: number;
  /** What bodies that come in may hold in memory, together. */
  readonly uploadBufferBytes: number;
  /** What answers that go out may hold in memory, together. */
  readonly readBufferBytes: number;
  readonly finishesAtOnce: number;
  /** Requests that wait for a place, of each kind. */
  readonly waitingMax: number;
}

export const PROVIDER_LIMITS: ProviderLimits = {
  ...HTTP_LIMITS,
  stallMs: 30_000,
  uploadBufferBytes: 40 << 20,
  readBufferBytes: 32 << 20,
  finishesAtOnce: 2,
  waitingMax: 256,
};

export const READ_BYTES_MAX = 64 << 20;

/** Cells of so many bytes are read, checked and sent at a time, or one cell: to a slow reader, and while many read. */
export const READ_WINDOW_BYTES = 256 << 10;
/** To a reader that takes them quickly, while there is room: every read of the disk and every write cost the same, however long. */
export const READ_WINDOW_BYTES_MAX = 1 << 20;
