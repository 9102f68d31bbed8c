/**
 * Any k of the slots that live, each read once: the same k as long as they answer, so that nothing is read twice; whoever fails, lies or
 * refuses is replaced from there on. Every byte is held against the slot's root on the chain before it is used.
 */
import { isTransient, PpioError } from "@ppio/core";
import type { Logger } from "@ppio/daemon";

export interface Source {
  readonly slotIndex: number;
  readonly providerId: number;
  /** Verified bytes [offset, offset + length) of the slot. */
  read(offset: number, length: number, signal: AbortSignal): Promise<Uint8Array>;
}

export interface SourcesOptions {
  readonly k: number;
  /** In the order in which they are asked. */
  readonly sources: readonly Source[];
  readonly log: Logger;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const SECOND_CHANCES_MAX = 3;
const PAUSE_MS = 1_000;

export class Sources {
  readonly #options: SourcesOptions;
  readonly #failed = new Map<number, { readonly reason: string; readonly isFinal: boolean }>();
  #chances = SECOND_CHANCES_MAX;

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  /** The range of k slots, by slot. @throws UNRECOVERABLE when fewer than k can be read, CANCELLED */
  async read(offset: number, length: number, signal: AbortSignal): Promise<Map<number, Uint8Array>> {
    const { k, sources } = this.#options;
    const have = new Map<number, Uint8Array>();
    while (have.size < k) {
      if (signal.aborted) throw new PpioError("CANCELLED", "The repair was stopped.");
      const asked = sources.filter(({ slotIndex }) => !have.has(slotIndex) && !this.#failed.has(slotIndex)).slice(0, k - have.size);
      if (asked.length < k - have.size) {
        if (!(await this.#giveSecondChance(signal))) throw this.#unrecoverable();
        continue;
      }
      await Promise.all(
        asked.map(async (source) => {
          const bytes = await this.#readOne(source, offset, length, signal);
          if (bytes !== undefined) have.set(source.slotIndex, bytes);
        }),
      );
    }
    return have;
  }

  async #readOne(source: Source, offset: number, length: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { slotIndex, providerId } = source;
    try {
      return await source.read(offset, length, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      const reason = error instanceof Error ? error.message : String(error);
      this.#failed.set(slotIndex, { reason, isFinal: !isTransient(error) });
      this.#options.log.warn("a slot could not be read for a repair; another one takes its place", { slotIndex, providerId, reason });
      return undefined;
    }
  }

  /** Those of whom only the wire failed are asked again, a few times in all. */
  async #giveSecondChance(signal: AbortSignal): Promise<boolean> {
    const again = [...this.#failed].filter(([, { isFinal }]) => !isFinal);
    if (this.#chances === 0 || again.length === 0) return false;
    await this.#options.sleep(PAUSE_MS * 2 ** (SECOND_CHANCES_MAX - this.#chances), signal);
    this.#chances -= 1;
    for (const [slotIndex] of again) this.#failed.delete(slotIndex);
    return true;
  }

  #unrecoverable(): PpioError {
    const { k, sources } = this.#options;
    const readable = sources.length - this.#failed.size;
    const reasons = [...this.#failed].map(([slotIndex, { reason }]) => `slot ${slotIndex}: ${reason}`).join("; ");
    return new PpioError("UNRECOVERABLE", `Only ${readable} of the ${k} slots that a repair needs can be read now (${reasons}).`, {
      retry: "later",
    });
  }
}
