/** Time in which the client was awake: its own pauses are nobody's fault. */
import { expect } from "chai";
import { createAwakeClock } from "../../client/dist/put/awake-clock.js";

describe("the awake clock", () => {
  it("goes with the clock while it ticks, and stands still while it does not", () => {
    let nowMs = 1_000;
    const awake = createAwakeClock({ nowMs: () => nowMs }, 10);
    const at = (ms: number): number => {
      nowMs += ms;
      return awake.nowMs();
    };
    expect([at(0), at(10), at(5)]).to.deep.equal([0, 10, 15]);
    awake.tick();
    expect(at(10)).to.equal(25);
    awake.tick();
    // The machine sleeps for an hour.
    expect(at(3_600_000)).to.equal(45);
    awake.tick();
    expect([at(0), at(10)]).to.deep.equal([45, 55]);
    // The clock is put back.
    expect(at(-500)).to.equal(45);
    awake.tick();
    expect(at(10)).to.equal(55);
  });
});
