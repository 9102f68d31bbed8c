/** When a provider of a put is late, by what the others need. */
import { expect } from "chai";
import { createPace, isBehind, isStuck, patienceMs } from "../../client/dist/put/pace.js";

const LATE_MS = 1_500;

describe("the patience of a put", () => {
  it("is four steps of the others, within bounds", () => {
    expect([1, 75, 100, 375, 9_000].map((paceMs) => patienceMs(paceMs, LATE_MS))).to.deep.equal([300, 300, 400, 1_500, 1_500]);
    expect(patienceMs(1, 60)).to.equal(60);
  });

  it("ends sooner with a provider that has little to lose", () => {
    const paceMs = 20;
    const pausedFor = (elapsedMs: number, stepsDone: number): boolean =>
      isBehind({ elapsedMs, busyMs: stepsDone * paceMs, stepsDone, stepsTotal: 40 }, paceMs, LATE_MS);
    expect([300, 301].map((ms) => pausedFor(ms, 0))).to.deep.equal([false, true]);
    expect([800, 801].map((ms) => pausedFor(ms, 9))).to.deep.equal([false, true]);
    expect([1_500, 1_501].map((ms) => pausedFor(ms, 30))).to.deep.equal([false, true]);
    // The last step of forty: a spare would need longer for all of them.
    expect(pausedFor(3_000, 39)).to.equal(false);
    expect(pausedFor(3_201, 39)).to.equal(true);
  });

  it("does not end where all are as slow", () => {
    expect(isBehind({ elapsedMs: 2_000, busyMs: 0, stepsDone: 0, stepsTotal: 4 }, 900, LATE_MS)).to.equal(false);
    expect(isBehind({ elapsedMs: 10, busyMs: 5 * 90, stepsDone: 5, stepsTotal: 400 }, 20, LATE_MS), "slow all along").to.equal(true);
    expect(isBehind({ elapsedMs: 10, busyMs: 3 * 90, stepsDone: 3, stepsTotal: 400 }, 20, LATE_MS), "too early to tell").to.equal(false);
  });

  it("is longer for a signature than a spare would need for the slot", () => {
    expect([300, 301].map((ms) => isStuck(ms, 20, 100, LATE_MS))).to.deep.equal([false, true]);
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
