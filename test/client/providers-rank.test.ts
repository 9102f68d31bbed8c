/** What a provider's price is worth, and where it lies. */
import { expect } from "chai";
import fc from "fast-check";
import { networkOf } from "../../client/dist/providers/network.js";
import { bandOf, drawOf, factorOf, type Judged, mediansOf, SLOW_FACTOR_MAX } from "../../client/dist/providers/rank.js";
import { isVetted } from "../../client/dist/providers/standing.js";

describe("the network of an endpoint", () => {
  const CASES: readonly (readonly [endpoint: string, network: string | undefined])[] = [
    ["http://203.0.113.7:4100", "203.0.113.0/24"],
    ["https://203.0.113.250", "203.0.113.0/24"],
    ["http://203.0.114.7:4100", "203.0.114.0/24"],
    // The same address in hexadecimal.
    ["http://0xcb007107/", "203.0.113.0/24"],
    ["http://[2001:db8:1:2::3]:4100", "2001:db8:1::/48"],
    ["http://[2001:0db8:0001:ffff:1:2:3:4]", "2001:db8:1::/48"],
    ["http://[2001:db8::1]", "2001:db8:0::/48"],
    ["http://[::ffff:203.0.113.9]", "203.0.113.0/24"],
    ["http://Home.Example.org.:4100", "home.example.org"],
    ["http://other.example.org", "other.example.org"],
    ["http://127.0.0.1:4100", undefined],
    ["http://127.9.9.9:4100", undefined],
    ["http://[::1]:4100", undefined],
    ["http://[::ffff:127.0.0.1]", undefined],
    ["http://localhost:4100", undefined],
    ["http://a.localhost", undefined],
    ["not an address", undefined],
    ["", undefined],
  ];
  for (const [endpoint, network] of CASES) {
    it(`of "${endpoint}" is ${network ?? "none"}`, () => expect(networkOf(endpoint)).to.equal(network));
  }

  it("is the same for all addresses of a /24 and of a /48, and never fails", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 255 }), (address, last) => {
        const neighbour = address.replace(/\d+$/, String(last));
        expect(networkOf(`http://${neighbour}`)).to.equal(networkOf(`http://${address}`));
      }),
    );
    const word = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    fc.assert(
      fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), fc.array(word, { minLength: 5, maxLength: 5 }), (words, rest) => {
        fc.pre(words.slice(0, 3).some((one) => one !== "0"));
        const neighbour = [...words.slice(0, 3), ...rest];
        expect(networkOf(`http://[${neighbour.join(":")}]:1`)).to.equal(networkOf(`http://[${words.join(":")}]:2`));
      }),
    );
    fc.assert(fc.property(fc.string(), (endpoint) => void networkOf(endpoint)));
  });
});

const someJudged = fc.record({
  standing: fc.record({
    windowPeriods: fc.constant(720),
    provenPeriods: fc.integer({ min: 0, max: 720 }),
    missedPeriods: fc.integer({ min: 0, max: 400 }),
    score: fc.record({ score: fc.integer({ min: 0, max: 10_000 }), term: fc.constant(1) }),
  }),
  served: fc.record({
    seenAtMs: fc.constant(0),
    failures: fc.constant(0),
    lies: fc.constant(0),
    sentBytesPerSecond: fc.integer({ min: 0, max: 1 << 30 }),
    readBytesPerSecond: fc.integer({ min: 0, max: 1 << 30 }),
  }),
  latencyMs: fc.integer({ min: 0, max: 10_000 }),
});

describe("what a price is worth", () => {
  const medians = { sent: 10_000_000, read: 10_000_000, latencyMs: 50 };
  const perfect: Judged = {
    standing: { windowPeriods: 720, provenPeriods: 720, missedPeriods: 0, score: { score: 10_000, term: 1 } },
    latencyMs: 50,
  };
  const withStanding = (more: Partial<Judged["standing"]>): Judged => ({ ...perfect, standing: { ...perfect.standing, ...more } });

  it("is the price for a provider without fault, and more for each fault by itself", () => {
    expect(factorOf(perfect, medians)).to.equal(1);
    expect(factorOf(withStanding({ score: { score: 5_000, term: 1 } }), medians)).to.equal(2);
    expect(factorOf(withStanding({ score: { score: 0, term: 1 } }), medians)).to.equal(10);
    const unscored = { windowPeriods: 720, provenPeriods: 720, missedPeriods: 0 };
    expect(factorOf({ ...perfect, standing: unscored }, medians)).to.equal(1.25);
    // A restart in a month costs nothing, an eighth of the time as much as the pay again.
    expect(factorOf(withStanding({ provenPeriods: 710, missedPeriods: 10 }), medians)).to.equal(1);
    expect(factorOf(withStanding({ provenPeriods: 630, missedPeriods: 90 }), medians)).to.be.closeTo(2, 0.05);
    expect(factorOf({ ...perfect, latencyMs: 200 }, medians)).to.equal(1);
    expect(factorOf({ ...perfect, latencyMs: 500 }, medians)).to.equal(2);
    const slow = { seenAtMs: 0, failures: 0, lies: 0, sentBytesPerSecond: 10_000_000, readBytesPerSecond: 2_500_000 };
    expect(factorOf({ ...perfect, served: slow }, medians)).to.equal(2);
    expect(factorOf({ ...perfect, served: { ...slow, readBytesPerSecond: 1 } }, medians)).to.equal(SLOW_FACTOR_MAX);
  });

  it("never falls when anything gets worse", () => {
    const less = (value: number, by: number): number => Math.max(0, value - by);
    fc.assert(
      fc.property(someJudged, fc.array(someJudged, { minLength: 1 }), fc.integer({ min: 0, max: 10_000 }), (one, all, by) => {
        const among = mediansOf(all);
        const { standing, served } = one;
        const worse: Judged[] = [
          { ...one, latencyMs: one.latencyMs + by },
          { ...one, standing: { ...standing, missedPeriods: standing.missedPeriods + by } },
          { ...one, standing: { ...standing, provenPeriods: less(standing.provenPeriods, by) } },
          { ...one, standing: { ...standing, score: { score: less(standing.score.score, by), term: 1 } } },
          { ...one, served: { ...served, readBytesPerSecond: less(served.readBytesPerSecond, by) } },
          { ...one, served: { ...served, sentBytesPerSecond: less(served.sentBytesPerSecond, by) } },
        ];
        const factor = factorOf(one, among);
        expect(factor)
          .to.be.at.least(1)
          .and.at.most(10 * 11 * SLOW_FACTOR_MAX);
        for (const other of worse) expect(factorOf(other, among)).to.be.at.least(factor);
      }),
    );
  });

  it("is equal within a tenth", () => {
    expect([100, 109, 110, 121, 0].map((price) => bandOf(price, 100))).to.deep.equal([0, 0, 1, 2, -49]);
    expect(bandOf(0, 0)).to.equal(0);
  });

  it("is drawn for by seed and provider alone", () => {
    const seed = new Uint8Array(32).fill(7);
    expect(drawOf(seed, 5, 3)).to.equal(drawOf(seed.slice(), 5, 3));
    expect(drawOf(seed, 5, 6)).to.be.closeTo(drawOf(seed, 5, 3) / 2, 1e-12);
    expect(drawOf(seed, 6, 3)).not.to.equal(drawOf(seed, 5, 3));
  });
});

describe("a newcomer", () => {
  it("is one until it has proven for a week of hours, or for a day when verifiers have scored it", () => {
    const standing = (provenPeriods: number, score?: number) => ({
      windowPeriods: 720,
      provenPeriods,
      missedPeriods: 0,
      ...(score === undefined ? {} : { score: { score, term: 1 } }),
    });
    expect([standing(167), standing(168), standing(23, 9_000), standing(24, 9_000)].map(isVetted)).to.deep.equal([
      false,
      true,
      false,
      true,
    ]);
  });
});
