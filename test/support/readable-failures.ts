/**
 * Files that run side by side tell their failures to mocha's main process as JSON. A failure with a bigint in it, of an assertion or of the
 * chain's library, would end there with all that its file has to tell.
 */
import { inspect } from "node:util";

/** Replaces what JSON cannot say by what a person reads. */
export function makeReadable(failure: unknown): void {
  if (typeof failure !== "object" || failure === null) return;
  const own = failure as Record<string, unknown>;
  for (const [key, value] of Object.entries(own)) {
    try {
      JSON.stringify(value);
    } catch {
      own[key] = inspect(value);
    }
  }
}

export const mochaHooks = {
  afterEach(this: Mocha.Context): void {
    makeReadable(this.currentTest?.err);
  },
};
