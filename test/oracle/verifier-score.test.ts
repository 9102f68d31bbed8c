/** Scores and plans of a verifier: pure functions. */
import { expect } from "chai";
import fc from "fast-check";
import { planProbes } from "../../oracle/dist/verifier/schedule.js";
import { latencyGrade, type Measurement, PROBES_MIN, scoreOf, throughputGrade } from "../../oracle/dist/verifier/score.js";

const served = (change: Partial<Measurement> = {}): Measurement => ({
  ...{ providerId: 1, at: 0, outcome: "served" as const, firstByteMs: 50, bodyMs: 10, bytes: 1 << 20 },
  ...change,
});
const failed = (outcome: "failed" | "false" = "failed"): Measurement => served({ outcome, firstByteMs: 0, bodyMs: 0, bytes: 0 });

const arbitrary = fc.array(
  fc.record({
    providerId: fc.constant(1),
    at: fc.nat(),
    outcome: fc.constantFrom("served" as const, "failed" as const, "false" as const),
    firstByteMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
    bodyMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
    bytes: fc.integer({ min: 128, max: 1 << 20 }),
  }),
  { minLength: PROBES_MIN, maxLength: 40 },
);

describe("a verifier's score", () => {
  it("is flawless for fast and whole answers, 0 for none, and says nothing of too few", () => {
    expect(scoreOf([served(), served(), served()])).to.equal(10_000);
    expect(scoreOf([failed(), failed(), failed()])).to.equal(0);
    expect(scoreOf([served(), served()])).to.equal(undefined);
  });

  it("keeps slow providers that always serve above the threshold, and leaves it to those that fail every second time", () => {
    const slow = served({ firstByteMs: 9_000, bodyMs: 60_000 });
    expect(scoreOf([slow, slow, slow])).to.equal(6_000);
    expect(scoreOf([served(), served(), failed(), failed()])).to.equal(5_000);
    expect(scoreOf([slow, slow, failed(), failed()])).to.equal(3_000);
  });

  it("takes a false answer for four failures", () => {
    expect(scoreOf([served(), served(), served(), served(), failed("false")])).to.equal(5_000);
  });

  it("is of the median: one slow answer among many costs nothing", () => {
    expect(scoreOf([...Array.from({ length: 9 }, () => served()), served({ firstByteMs: 9_000, bodyMs: 60_000 })])).to.equal(10_000);
  });

  it("grades latency and throughput between their ends", () => {
    expect([250, 1_625, 3_000].map(latencyGrade)).to.deep.equal([1, 0.5, 0]);
    expect([65_536, 2 * 1_048_576, Number.POSITIVE_INFINITY].map(throughputGrade)).to.deep.equal([0, 1, 1]);
    expect(throughputGrade(65_536 * Math.sqrt(32))).to.be.closeTo(0.5, 1e-9);
  });

  it("is a whole number from 0 to 10000 whatever was measured, in any order", () => {
    fc.assert(
      fc.property(arbitrary, (measurements) => {
        const score = scoreOf(measurements);
        expect(Number.isInteger(score)).to.equal(true);
        expect(score).to.be.within(0, 10_000);
        expect(scoreOf([...measurements].reverse())).to.equal(score);
      }),
    );
  });

  it("never rises when a served probe fails instead, and never falls when one is faster", () => {
    fc.assert(
      fc.property(arbitrary, fc.nat(), (measurements, pick) => {
        const at = measurements.findIndex(({ outcome }) => outcome === "served");
        if (at === -1) return;
        const change = (one: Measurement): readonly Measurement[] => measurements.map((other, index) => (index === at ? one : other));
        const before = scoreOf(measurements) ?? 0;
        const all = measurements.map((one) => ({ ...one, firstByteMs: one.firstByteMs / 2, bodyMs: one.bodyMs / 2 }));
        expect(scoreOf(all)).to.be.at.least(before);
        const worse = scoreOf(change(failed(pick % 2 === 0 ? "failed" : "false"))) ?? 0;
        // Taking one out of the median can make the rest look faster: by no more than quality is worth.
        expect(worse).to.be.at.most(Math.ceil(before / 0.6));
        expect(scoreOf([...measurements, failed()])).to.be.at.most(before);
      }),
    );
  });
});

describe("a verifier's plan", () => {
  const options = {
    seed: new Uint8Array(32).fill(7),
    term: 3,
    providerIds: [1, 2, 5],
    probesPerProvider: 8,
    fromMs: 1_000,
    untilMs: 61_000,
  };

  it("has every provider's probes inside the term, in order of time, the same after a restart", () => {
    const plan = planProbes(options);
    expect(plan).to.have.length(24);
    expect(plan).to.deep.equal(planProbes(options));
    for (const { at } of plan) expect(at).to.be.within(1_000, 60_999);
    expect(plan.map(({ at }) => at)).to.deep.equal(plan.map(({ at }) => at).sort((a, b) => a - b));
    for (const id of options.providerIds) expect(plan.filter(({ providerId }) => providerId === id)).to.have.length(8);
  });

  it("is another one for another seed or term, and spreads over the whole term", () => {
    const times = (change: Partial<typeof options>) => planProbes({ ...options, ...change }).map(({ at }) => at);
    expect(times({ seed: new Uint8Array(32) })).not.to.deep.equal(times({}));
    expect(times({ term: 4 })).not.to.deep.equal(times({}));
    const many = times({ probesPerProvider: 500 });
    for (let part = 0; part < 10; part += 1) {
      const within = many.filter((at) => at >= 1_000 + part * 6_000 && at < 7_000 + part * 6_000).length;
      expect(within / many.length).to.be.closeTo(0.1, 0.03);
    }
  });
});
