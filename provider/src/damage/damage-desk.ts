/**
 * Slots in which damage was seen, by whatever reader. Nothing is given up on one reading: a suspect is read again, and is damaged only
 * when its bytes are there and do not match, on a disk that is the one of the start. What the disk refuses to read, and slots that are not
 * on it at all, are never damage: a disk that is not mounted would cost the collateral of every slot.
 */
import { isPpioError } from "@ppio/core";
import { atomicWriteFile, type Logger, readJsonFile } from "@ppio/daemon";
import type { SlotStore } from "../store/slot-store.ts";

/** Up to so many damaged slots are given up without a person, whatever their share. */
const ALONE_MAX = 3;
/** More than this share of all slots at once is a fault of the machine, not of a few sectors. */
const ALONE_PERCENT = 10;

/** What was decided about a suspect is looked at again after so long. */
const REST_MS = 60_000;

/** What was seen of a slot when it was last read. */
export type Verdict = "whole" | "damaged" | "gone";

export interface DamageFile {
  load(): Promise<unknown>;
  save(value: object): Promise<void>;
}

export function damageFile(path: string): DamageFile {
  return {
    load: () => readJsonFile<unknown>(path),
    save: (value) => atomicWriteFile(path, `${JSON.stringify(value)}\n`, { mode: 0o600 }),
  };
}

interface Suspect {
  /** Cell in which it was seen, when known. */
  readonly row: number | undefined;
}

export interface DamageDeskOptions {
  readonly store: SlotStore;
  /** Suspects survive a restart: the scrub would come by again much later. */
  readonly file: DamageFile;
  readonly log: Logger;
  readonly now: () => number;
}

export class DamageDesk {
  readonly #options: DamageDeskOptions;
  readonly #suspects = new Map<string, Suspect>();
  readonly #damaged = new Set<string>();
  /** Slots that a person has said may be given up. */
  readonly #accepted = new Set<string>();
  readonly #restingUntil = new Map<string, number>();
  #saving: Promise<void> = Promise.resolve();

  private constructor(options: DamageDeskOptions) {
    this.#options = options;
  }

  static async open(options: DamageDeskOptions): Promise<DamageDesk> {
    const desk = new DamageDesk(options);
    try {
      const known = (await options.file.load()) as { readonly version?: unknown; readonly suspects?: unknown } | undefined;
      const ids = known?.version === 1 && Array.isArray(known.suspects) ? known.suspects : [];
      for (const id of ids) if (typeof id === "string" && options.store.has(id)) desk.#suspects.set(id, { row: undefined });
    } catch (error) {
      options.log.warn("the list of damaged slots cannot be read; the scrub finds them again", { error });
    }
    // Found while the store was opened.
    for (const uploadId of options.store.damagedIds()) desk.suspect(uploadId);
    return desk;
  }

  /** A reader has met bytes that do not match. */
  suspect(uploadId: string, row?: number): void {
    if (this.#suspects.has(uploadId)) return;
    this.#suspects.set(uploadId, { row });
    this.#save();
  }

  get suspects(): readonly string[] {
    return [...this.#suspects.keys()];
  }

  /** Suspects that are to be looked at now. */
  get due(): readonly string[] {
    const now = this.#options.now();
    return this.suspects.filter((id) => (this.#restingUntil.get(id) ?? 0) <= now);
  }

  /** What can be done about it is done, for now: a reorg may ask for it again. */
  rest(uploadId: string): void {
    this.#restingUntil.set(uploadId, this.#options.now() + REST_MS);
  }

  /** Suspects that were read again and found damaged. */
  get damaged(): readonly string[] {
    return [...this.#damaged];
  }

  /**
   * Reads a suspect again: the cell in question, or all of it. A tree that can be built again was built again by the store.
   * @throws IO when the disk fails, which says nothing about the slot
   */
  async confirm(uploadId: string): Promise<Verdict> {
    const { store } = this.#options;
    await store.checkDisk();
    const found = store.find(uploadId);
    if (found === undefined) {
      this.forget(uploadId);
      return "gone";
    }
    const row = this.#suspects.get(uploadId)?.row;
    const rows = found.header.rows;
    if (row !== undefined && row < rows && !(await this.#isWhole(uploadId, row))) return this.#condemn(uploadId);
    for (let at = 0; at < rows; at += 1) {
      if (await this.#isWhole(uploadId, at)) continue;
      this.#suspects.set(uploadId, { row: at });
      return this.#condemn(uploadId);
    }
    this.#options.log.warn("a slot that seemed damaged is whole", { uploadId });
    store.markWhole(uploadId);
    this.forget(uploadId);
    return "whole";
  }

  async #condemn(uploadId: string): Promise<Verdict> {
    // The disk may have gone while it was read.
    await this.#options.store.checkDisk();
    this.#damaged.add(uploadId);
    return "damaged";
  }

  async #isWhole(uploadId: string, row: number): Promise<boolean> {
    try {
      await this.#options.store.readCell(uploadId, row);
      return true;
    } catch (error) {
      if (isPpioError(error, "CORRUPT")) return false;
      throw error;
    }
  }

  /** So much at once is a fault of the machine: nothing is given up before a person has said so. */
  get isHeldBack(): boolean {
    const open = [...this.#damaged].filter((id) => !this.#accepted.has(id)).length;
    const slots = this.#options.store.count;
    return open > ALONE_MAX && open * 100 > slots * ALONE_PERCENT;
  }

  /** A person has looked: what is damaged now may be given up. */
  accept(): readonly string[] {
    for (const id of this.#damaged) {
      this.#accepted.add(id);
      this.#restingUntil.delete(id);
    }
    return this.damaged;
  }

  /** Dropped, or whole. */
  forget(uploadId: string): void {
    this.#restingUntil.delete(uploadId);
    this.#damaged.delete(uploadId);
    this.#accepted.delete(uploadId);
    if (this.#suspects.delete(uploadId)) this.#save();
  }

  /** Resolves once the list is on the disk, or could not be brought there. */
  async flushed(): Promise<void> {
    await this.#saving;
  }

  #save(): void {
    const { file, log } = this.#options;
    this.#saving = this.#saving
      .then(() => file.save({ version: 1, suspects: this.suspects }))
      .catch((error) => log.warn("the list of damaged slots cannot be written", { error }));
  }
}
