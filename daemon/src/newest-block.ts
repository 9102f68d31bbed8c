/**
 * The newest block, asked for once by all who want it at about the same time: the loops of a daemon look at the chain independently, and each
 * begins with its newest block.
 */

/** So old may an answer be; loops that look once a second see every block of a chain as fast as that. */
const KEPT_MS = 400;

/** As the node writes it. */
export interface RawBlock {
  readonly number: string;
}

export interface NewestBlockOptions {
  readonly ask: () => Promise<RawBlock>;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

export class NewestBlock {
  readonly #options: NewestBlockOptions;
  #asked: { readonly at: number; readonly answer: Promise<RawBlock>; number: number } | undefined;

  constructor(options: NewestBlockOptions) {
    this.#options = options;
  }

  /** A failure is everybody's who waits for it, and is not kept. @throws what the node's refusal or absence throws */
  block(): Promise<RawBlock> {
    const { ask, now } = this.#options;
    if (this.#asked !== undefined && now() - this.#asked.at < KEPT_MS) return this.#asked.answer;
    const answer = ask();
    const asked = { at: now(), answer, number: Number.POSITIVE_INFINITY };
    this.#asked = asked;
    const forget = (): void => {
      if (this.#asked === asked) this.#asked = undefined;
    };
    answer.then(({ number }) => {
      asked.number = Number(number);
    }, forget);
    return answer;
  }

  /** The chain is known to have this block: an answer that is older is not given again. */
  isAtLeast(number: number): void {
    if (this.#asked !== undefined && this.#asked.number < number) this.#asked = undefined;
  }
}
