/**
 * A body that comes in steps of a slot. Between two steps it can be left and taken up again, so that who sends for long shares the
 * provider's memory and line with others as if every step were a request.
 */
export interface SteppedBodyOptions {
  /** Where in the slot it begins. */
  readonly offset: number;
  readonly stepBytes: number;
  /** Awaited before a step's first byte is given out. */
  readonly beforeStep: (bytes: number) => Promise<void>;
  /** Asked between steps: whether others wait. */
  readonly isEnough: () => boolean;
}

export class SteppedBody {
  readonly #body: AsyncIterator<Uint8Array>;
  readonly #options: SteppedBodyOptions;
  #at: number;
  #rest: Uint8Array = new Uint8Array();
  #isOver = false;
  /** Its first byte may be given out. */
  #isStepBegun = false;

  /** @param body is not ended by this */
  constructor(body: AsyncIterator<Uint8Array>, options: SteppedBodyOptions) {
    this.#body = body;
    this.#options = options;
    this.#at = options.offset;
  }

  /** Everything was given out. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** One step at least, then until others wait or it is over. @throws what the body throws */
  async *steps(): AsyncGenerator<Uint8Array> {
    const { stepBytes, beforeStep, isEnough } = this.#options;
    const from = this.#at;
    for (;;) {
      if (!this.#isStepBegun && this.#at > from && isEnough()) return;
      if (this.#rest.length === 0 && !(await this.#more())) return;
      if (!this.#isStepBegun) {
        await beforeStep(stepBytes - (this.#at % stepBytes));
        this.#isStepBegun = true;
      }
      const piece = this.#rest.subarray(0, stepBytes - (this.#at % stepBytes));
      yield piece;
      this.#rest = this.#rest.subarray(piece.length);
      this.#at += piece.length;
      this.#isStepBegun = this.#at % stepBytes !== 0;
    }
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#body.next();
    if (done === true) this.#isOver = true;
    else this.#rest = value;
    return !this.#isOver;
  }
}
