/** What the store knows of a slot while it runs. */
import { type DealHeader, PpioError } from "@ppio/core";
import type { EarlyFlush } from "./early-flush.ts";
import type { HeldTree } from "./held-tree.ts";
import type { SlotMeta } from "./slot-record.ts";

export interface StoredSlot {
  readonly meta: SlotMeta;
  readonly header: DealHeader;
  readonly receivedBytes: number;
  /** Unix milliseconds of the last byte that came in. */
  readonly touchedAt: number;
  /** A request is writing to it. */
  readonly isBusy: boolean;
  /** A byte was found that does not match the root. */
  readonly isDamaged: boolean;
}

export interface Entry extends StoredSlot {
  meta: SlotMeta;
  receivedBytes: number;
  touchedAt: number;
  isBusy: boolean;
  isDamaged: boolean;
  /** Neither `roots` nor the data give the root; known until the next start, so that it is found out once only. */
  areRootsLost: boolean;
  /** Writing the sealed record failed half way: the disk may hold it. */
  isSealInDoubt: boolean;
  /** Somebody asked to forget it: what is missing of it is no damage. */
  isLeaving: boolean;
  loading: Promise<HeldTree> | undefined;
  /** While bytes come in. */
  flush: EarlyFlush | undefined;
}

export function notHeld(): PpioError {
  return new PpioError("NOT_FOUND", "This provider does not hold that slot.");
}
