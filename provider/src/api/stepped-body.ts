/**
 * A body that comes in steps of a slot. Between two steps it can be left and taken up again, so that who sends for long shares the
 * provider's memory and line with others as if every step were a request.
 */
import type { ByteSource } from "@ppio/daemon";
import type { Gate } from "./gate.ts";

export interface SteppedBodyOptions {
  /** Where in the slot it begins. */
  readonly offset: number;
  readonly stepBytes: number;
  /** Awaited before a step's first byte is given out. */
  readonly beforeStep: (bytes: number) => Promise<void>;
  /** Where its rounds have their place, and others wait for one. */
  readonly gate: Pick<Gate, "isWaitedFor" | "onWaitedFor">;
}

export class SteppedBody {
  readonly #body: ByteSource;
  readonly #options: SteppedBodyOptions;
  #at: number;
  /** Its first byte may be given out. */
  #isStepBegun = false;
  /** Whether there is more, as long as that is not known. */
  #coming: Promise<boolean> | undefined;

  constructor(body: ByteSource, options: SteppedBodyOptions) {
    this.#body = body;
    this.#options = options;
    this.#at = options.offset;
  }

  /** Whether there is another byte; waits for it. @throws what the body throws */
  async more(): Promise<boolean> {
    const isThere = await this.#comes();
    this.#coming = undefined;
    return isThere;
  }

  /** A round: one step at least, then until it is over or others wait for a place. */
  steps(): ByteSource {
    const from = this.#at;
    return {
      more: () => this.#begin(from),
      fill: async (target) => ((await this.#begin(from)) ? this.#fill(target) : 0),
    };
  }

  async #begin(from: number): Promise<boolean> {
    const { stepBytes, beforeStep } = this.#options;
    if (!this.#isStepBegun && this.#at > from && (await this.#isTurnOfOthers())) return false;
    if (!(await this.more())) return false;
    if (!this.#isStepBegun) await beforeStep(stepBytes - (this.#at % stepBytes));
    this.#isStepBegun = true;
    return true;
  }

  async #fill(target: Uint8Array): Promise<number> {
    const { stepBytes } = this.#options;
    const count = await this.#body.fill(target.subarray(0, stepBytes - (this.#at % stepBytes)));
    this.#at += count;
    this.#isStepBegun = this.#at % stepBytes !== 0;
    return count;
  }

  #comes(): Promise<boolean> {
    this.#coming ??= this.#body.more();
    return this.#coming;
  }

  /** Others wait, or begin to before this body goes on. */
  #isTurnOfOthers(): Promise<boolean> {
    const { gate } = this.#options;
    if (gate.isWaitedFor) return Promise.resolve(true);
    return new Promise((resolve) => {
      const decide = (isTurn: boolean): void => {
        forget();
        resolve(isTurn);
      };
      const forget = gate.onWaitedFor(() => decide(true));
      // A failure is told by `more`.
      this.#comes().then(
        () => decide(false),
        () => decide(false),
      );
    });
  }
}
