/**
 * What repairers may read of a slot: about what one repair needs, so that a reservation, which costs little when it is given up at once, is
 * no licence to drain a provider. Counted in memory, in windows as long as a reservation; a restart forgets.
 */
import { PpioError } from "@ppio/core";

/** Of a slot, per repairer and slot that it rebuilds: a repair reads it once, and goes on near where it stopped after a restart. */
const SHARE_PER_REPAIRER = 1.5;
/** Of a slot, for all repairers of one vacant slot together: whoever comes after one that gave up. Vacancies do not share it. */
const SHARE_FOR_ALL = 4;
/** On top, so that leaves can be shown of the smallest slots. */
const SLACK_BYTES = 64 << 10;
const COUNTS_MAX = 4_096;

interface Count {
  readonly sinceMs: number;
  readonly windowMs: number;
  bytes: number;
}

export interface RepairRead {
  readonly uploadId: string;
  readonly repairer: string;
  /** The slot whose reservation is the ticket: several may be rebuilt, one after the other or at once, and each takes a reading. */
  readonly forSlot: number;
  readonly bytes: number;
  readonly slotBytes: number;
  /** How long a reservation lasts. */
  readonly windowMs: number;
}

export class ServingBudget {
  readonly #now: () => number;
  readonly #counts = new Map<string, Count>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts a read. @throws REFUSED when there was enough */
  spend({ uploadId, repairer, forSlot, bytes, slotBytes, windowMs }: RepairRead): void {
    this.#forgetOld();
    const own = this.#count(`${uploadId}/${repairer}/${forSlot}`, windowMs);
    const all = this.#count(`${uploadId}/${forSlot}`, windowMs);
    const isSpent =
      own.bytes + bytes > SHARE_PER_REPAIRER * slotBytes + SLACK_BYTES || all.bytes + bytes > SHARE_FOR_ALL * slotBytes + SLACK_BYTES;
    if (isSpent) {
      throw new PpioError("REFUSED", "More than a repair needs was read of this slot already; read from other slots or try again later.");
    }
    own.bytes += bytes;
    all.bytes += bytes;
  }

  #count(key: string, windowMs: number): Count {
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    if (this.#counts.size >= COUNTS_MAX) throw new PpioError("REFUSED", "This provider serves too many repairs; try again later.");
    const fresh = { sinceMs: this.#now(), windowMs, bytes: 0 };
    this.#counts.set(key, fresh);
    return fresh;
  }

  #forgetOld(): void {
    for (const [key, { sinceMs, windowMs }] of this.#counts) if (this.#now() - sinceMs >= windowMs) this.#counts.delete(key);
  }
}
