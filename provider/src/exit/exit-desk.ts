/** Whether this provider leaves, and how far it is; kept in a file, so that it goes on leaving after any crash. */
import { atomicWriteFile, readJsonFile } from "@ppio/daemon";
import type { Admission } from "../policy/admission.ts";

interface Leaving {
  readonly version: 1;
  /** Unix milliseconds. */
  readonly since: number;
  readonly moved: number;
}

export interface ExitProgress {
  /** ISO 8601; null while the provider stays. */
  readonly since: string | null;
  readonly moved: number;
  /** Slots that are still held and live; null until they were counted. */
  readonly remaining: number | null;
  /** Why the newest try to move a slot failed; null when it did not. */
  readonly problem: string | null;
}

export class ExitDesk {
  readonly #path: string;
  readonly #admission: Admission;
  #leaving: Leaving | undefined;
  #remaining: number | null = null;
  #problem: string | null = null;

  private constructor(path: string, admission: Admission, leaving: Leaving | undefined) {
    this.#path = path;
    this.#admission = admission;
    this.#leaving = leaving;
    admission.set("exit", leaving !== undefined);
  }

  static async open(path: string, admission: Admission): Promise<ExitDesk> {
    const known = await readJsonFile<Partial<Leaving> | null>(path);
    const isLeaving = known?.version === 1 && typeof known.since === "number" && typeof known.moved === "number";
    return new ExitDesk(path, admission, isLeaving ? (known as Leaving) : undefined);
  }

  get isUnderWay(): boolean {
    return this.#leaving !== undefined;
  }

  get progress(): ExitProgress {
    const since = this.#leaving === undefined ? null : new Date(this.#leaving.since).toISOString();
    return { since, moved: this.#leaving?.moved ?? 0, remaining: this.#remaining, problem: this.#problem };
  }

  /** No new slots from now on; again is harmless. */
  async begin(nowMs: number): Promise<void> {
    if (this.#leaving === undefined) await this.#save({ version: 1, since: nowMs, moved: 0 });
  }

  /** Stays with what it still has. */
  async cancel(): Promise<void> {
    await this.#save(undefined);
    this.#remaining = null;
    this.#problem = null;
  }

  async countMoved(): Promise<void> {
    if (this.#leaving !== undefined) await this.#save({ ...this.#leaving, moved: this.#leaving.moved + 1 });
  }

  note(remaining: number, problem: string | null): void {
    this.#remaining = remaining;
    this.#problem = problem;
  }

  async #save(leaving: Leaving | undefined): Promise<void> {
    await atomicWriteFile(this.#path, `${JSON.stringify(leaving ?? null)}\n`, { mode: 0o600 });
    this.#leaving = leaving;
    this.#admission.set("exit", leaving !== undefined);
  }
}
