/** When a provider of a put is late, by what the others need. */
import { expect } from "chai";
import { createPace, isBehind, isStuck } from "../../client/dist/put/pace.js";

const LATE_MS = 1_500;

describe("the patience of a put", () => {
  it("does not end where all are as slow", () => {
    expect(isBehind({ elapsedMs: 2_000, busyMs: 0, stepsDone: 0, stepsTotal: 4 }, 900, LATE_MS)).to.equal(false);
    expect(isBehind({ elapsedMs: 10, busyMs: 5 * 90, stepsDone: 5, stepsTotal: 400 }, 20, LATE_MS), "slow all along").to.equal(true);
    expect(isBehind({ elapsedMs: 10, busyMs: 3 * 90, stepsDone: 3, stepsTotal: 400 }, 20, LATE_MS), "too early to tell").to.equal(false);
  });

  it("is longer for a signature than a spare would need for the slot", () => {
    expect([1_500, 1_501].map((ms) => isStuck(ms, 20, 100, LATE_MS))).to.deep.equal([false, true]);
    expect([2_000, 2_001].map((ms) => isStuck(ms, 500, 100, LATE_MS))).to.deep.equal([false, true]);
    expect([5_000, 5_001].map((ms) => isStuck(ms, 20, 5_000, LATE_MS))).to.deep.equal([false, true]);
  });

  it("goes by the median of the newest", () => {
    const pace = createPace();
    expect(pace.medianMs()).to.equal(undefined);
    for (const ms of [9, 1, 5]) pace.note(ms);
    expect(pace.medianMs()).to.equal(5);
    for (let at = 0; at < 64; at += 1) pace.note(7);
    expect(pace.medianMs()).to.equal(7);
  });
});
