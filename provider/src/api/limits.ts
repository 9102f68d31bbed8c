/** What strangers may ask of a provider at once (docs/operating/provider.md). */
import { HTTP_LIMITS, type HttpLimits } from "@ppio/daemon";

export interface ProviderLimits extends HttpLimits {
  /** A body or a reader that does not move for so long is given up. */
  readonly stallMs: number;
  readonly uploadsAtOnce: number;
  readonly finishesAtOnce: number;
  readonly readsAtOnce: number;
  /** Requests that wait for a place, of each kind. */
  readonly waitingMax: number;
}

export const PROVIDER_LIMITS: ProviderLimits = {
  ...HTTP_LIMITS,
  stallMs: 30_000,
  uploadsAtOnce: 24,
  finishesAtOnce: 2,
  readsAtOnce: 32,
  waitingMax: 256,
};

export const READ_BYTES_MAX = 16 << 20;
