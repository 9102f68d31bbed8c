/**
 * The core under random histories (M, R, P, Y, C, N, F, A, X): every role acts at random from a seed, and after every step every
 * invariant is checked. A failure prints its seed and its last actions. FUZZ_SECONDS is the budget, FUZZ_SEED the first seed.
 */
import { expect } from "chai";
import { allInvariants, fuzzRun, setStage } from "../support/fuzz/run.ts";

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 15);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
const PERIODS = Number(process.env.FUZZ_PERIODS ?? 24);

describe("Invariants of the core", function () {
  this.timeout((SECONDS + 240) * 1_000);

  it("are at least 40, each with its own number", () => {
    const ids = allInvariants([]).map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    expect(ids.length).to.be.at.least(40);
  });

  it(`hold after every step of random histories from seed ${FIRST_SEED} on, for ${SECONDS} s`, async () => {
    const stage = await setStage();
    const until = Date.now() + SECONDS * 1_000;
    const counts = new Map<string, number>();
    let seed = FIRST_SEED;
    let checks = 0;
    for (; seed === FIRST_SEED || Date.now() < until; seed += 1) {
      const run = await fuzzRun(stage, seed, PERIODS, until);
      checks += run.checks;
      for (const [name, count] of run.counts) counts.set(name, (counts.get(name) ?? 0) + count);
    }
    const done = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${name} ${count}`);
    console.log(`      ${seed - FIRST_SEED} runs, ${checks} steps checked: ${done.join(", ")}`);
    // How many more there are depends on the machine alone.
    expect(checks).to.be.greaterThan(20);
  });
});
