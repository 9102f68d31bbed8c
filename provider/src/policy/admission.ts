/** Why no new slots are taken at the moment: what a provider cannot keep it must not promise. Slots that it holds are served and proven. */
import { PpioError } from "@ppio/core";

/** One at a time of each; what is told to customers is the sentence. */
export type Hindrance = "disk" | "damage" | "funds" | "evicted" | "exit" | "slots";

const SENTENCES: Readonly<Record<Hindrance, string>> = {
  disk: "This provider's disk fails; use another one or try again later.",
  damage: "This provider looks after its disk; use another one or try again later.",
  funds: "This provider is short of coin for its proofs; use another one or try again later.",
  evicted: "This provider was evicted; use another one.",
  exit: "This provider takes no more slots, because it leaves; use another one.",
  slots: "This provider holds as many slots as it wants to; use another one.",
};

export class Admission {
  readonly #hindrances = new Set<Hindrance>();

  set(hindrance: Hindrance, isThere: boolean): void {
    if (isThere) this.#hindrances.add(hindrance);
    else this.#hindrances.delete(hindrance);
  }

  get hindrances(): readonly Hindrance[] {
    return [...this.#hindrances];
  }

  /** @throws REFUSED */
  check(): void {
    const [hindrance] = this.#hindrances;
    if (hindrance === undefined) return;
    throw new PpioError("REFUSED", SENTENCES[hindrance], { retry: hindrance === "exit" || hindrance === "evicted" ? "never" : "later" });
  }
}
