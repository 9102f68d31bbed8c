/**
 * Uploads of rebuilt slots: each belongs to a reservation, for which somebody has put a bond down, and not to what the deal's payer may upload
 * without a deal. Their bound is the reservation's: one slot's bytes, until it ends. Not on disk: after a restart they count as the payer's.
 */
export class ReservedUploads {
  readonly #now: () => number;
  /** Unix seconds by upload. */
  readonly #endsAt = new Map<string, number>();

  /** @param now Unix milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param until Unix seconds; a later reservation of the same slot extends it */
  note(uploadId: string, until: number): void {
    this.#endsAt.set(uploadId, Math.max(until, this.#endsAt.get(uploadId) ?? 0));
  }

  /** Unix seconds; undefined for an upload of the deal's owner. */
  endsAt(uploadId: string): number | undefined {
    return this.#endsAt.get(uploadId);
  }

  /** Its reservation has not ended. */
  isOpen(uploadId: string): boolean {
    const until = this.#endsAt.get(uploadId);
    return until !== undefined && until * 1000 >= this.#now();
  }

  forget(uploadId: string): void {
    this.#endsAt.delete(uploadId);
  }
}
