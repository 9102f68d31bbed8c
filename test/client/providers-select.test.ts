/** Which providers get the slots of a deal. */
import { isPpioError } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";
import { reasonAgainst } from "../../client/dist/providers/fit.js";
import type { ProviderView } from "../../client/dist/providers/list.js";
import { newcomersOf, selectCandidates } from "../../client/dist/providers/select.js";
import { isVetted } from "../../client/dist/providers/standing.js";
import { heldFor, type Made, NOW_MS, poolOf, SLOT_BYTES, viewOf } from "../support/client/provider-views.ts";

const CODE = { k: 4, n: 8 };

type Options = Partial<Parameters<typeof selectCandidates>[0]>;

function select(views: readonly ProviderView[], options: Options = {}, seed = 1): number[] {
  const candidates = selectCandidates({
    pool: poolOf(views, seed),
    code: CODE,
    slotBytes: SLOT_BYTES,
    needed: CODE.n,
    spares: 4,
    ...options,
  });
  return candidates.map(({ providerId }) => providerId);
}

const many = (count: number, made: Made = {}, from = 1): ProviderView[] =>
  Array.from({ length: count }, (_, at) => viewOf(from + at, made));

const NEW: Made = { provenPeriods: 3 };

/** Anything that a listing may show. */
const someView = fc.record({
  owner: fc.integer({ min: 0, max: 5 }),
  domain: fc.integer({ min: 0, max: 3 }),
  network: fc.integer({ min: 0, max: 5 }),
  freeSlots: fc.integer({ min: 0, max: 50 }),
  priceGwei: fc.bigInt({ min: 0n, max: 10n ** 12n }),
  collateral: fc.constantFrom(0n, 10n ** 16n, 10n ** 30n),
  proven: fc.integer({ min: 0, max: 720 }),
  missed: fc.integer({ min: 0, max: 300 }),
  score: fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined }),
  heldMs: fc.option(fc.integer({ min: -1_000, max: 1_000_000 }), { nil: undefined }),
  kind: fc.constantFrom("refused", "stalled", "vanished", "lied"),
  speed: fc.option(fc.integer({ min: 0, max: 1 << 30 }), { nil: undefined }),
  latencyMs: fc.integer({ min: 0, max: 5_000 }),
  isAway: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
} as const);

type Some = typeof someView extends fc.Arbitrary<infer T> ? T : never;

const viewsOf = (all: readonly Some[]): ProviderView[] =>
  all.map((one, at): ProviderView => {
    const held = one.heldMs === undefined ? { seenAtMs: NOW_MS, failures: 0, lies: 0 } : heldFor(one.heldMs, 10_000 + at, one.kind);
    return viewOf(at + 1, {
      owner: `0x${one.owner}`,
      failureDomain: String(one.domain),
      endpoint: `http://10.0.${one.network}.${at + 1}:4100`,
      freeBytes: one.freeSlots * SLOT_BYTES,
      freeCollateralWei: one.collateral,
      priceGwei: one.priceGwei,
      provenPeriods: one.proven,
      missedPeriods: one.missed,
      latencyMs: one.latencyMs,
      served: { ...held, ...(one.speed === undefined ? {} : { sentBytesPerSecond: one.speed, readBytesPerSecond: one.speed }) },
      ...(one.score === undefined ? {} : { score: one.score }),
      ...(one.isAway ? { problem: "does not answer" } : {}),
    });
  });
const someViews = fc.array(someView, { maxLength: 40 }).map(viewsOf);
/** All of them able to take a slot. */
const fitViews = fc
  .array(someView, { minLength: 8, maxLength: 40 })
  .map((all) => viewsOf(all.map((one) => ({ ...one, freeSlots: one.freeSlots + 1, collateral: 10n ** 40n, isAway: false }))));
const someCode = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })).map(([k, more]) => ({ k, n: k + more }));
const someSeed = fc.integer({ min: 0, max: 0xffffffff });

const isFit = (view: ProviderView): boolean => reasonAgainst(view, SLOT_BYTES) === undefined;
const isHeldNow = ({ served }: ProviderView): boolean => (served?.failure?.untilMs ?? 0) > NOW_MS;

describe("choosing providers, whatever there is", () => {
  it("chooses distinct, able ones, as many as are wanted and there, or says why none", () => {
    fc.assert(
      fc.property(someViews, someCode, fc.integer({ min: 0, max: 5 }), someSeed, (views, code, spares, seed) => {
        const fit = views.filter(isFit).map(({ providerId }) => providerId);
        const options = { code, needed: code.n, spares };
        if (fit.length < code.n) {
          expect(() => select(views, options, seed)).to.throw(`${code.n} providers are needed and ${fit.length} can take a slot now`);
          return;
        }
        const chosen = select(views, options, seed);
        expect(chosen).to.have.length(Math.min(fit.length, code.n + spares));
        expect(new Set(chosen).size).to.equal(chosen.length);
        expect(fit).to.include.members(chosen);
      }),
    );
  });

  it("hangs on seed and providers, not on the order in which they were found", () => {
    fc.assert(
      fc.property(
        someViews.chain((views) => fc.tuple(fc.constant(views), fc.shuffledSubarray(views, { minLength: views.length }))),
        someSeed,
        ([views, shuffled], seed) => {
          const needed = Math.min(4, views.filter(isFit).length);
          expect(select(shuffled, { needed }, seed)).to.deep.equal(select(views, { needed }, seed));
        },
      ),
    );
  });

  it("never lets a deal hang on newcomers while there are vetted ones enough", () => {
    fc.assert(
      fc.property(fitViews, someCode, someSeed, (views, code, seed) => {
        const fit = views.filter(isFit);
        const vetted = fit.filter((view) => isVetted(view.standing) && !isHeldNow(view));
        const share = newcomersOf(code);
        fc.pre(vetted.length >= code.n - share);
        const isNew = new Set(fit.filter(({ standing }) => !isVetted(standing)).map(({ providerId }) => providerId));
        const chosen = select(views, { code, needed: code.n, spares: 0 }, seed);
        expect(chosen.filter((id) => isNew.has(id)).length).to.be.at.most(share);
        expect(share).to.be.at.most((code.n - code.k) / 2);
      }),
    );
  });

  it("takes nobody who failed lately while there are others enough, and of those the ones that failed longest ago, liars last", () => {
    fc.assert(
      fc.property(fitViews, someCode, someSeed, (views, code, seed) => {
        const fit = views.filter(isFit);
        const chosen = select(views, { code, needed: code.n, spares: views.length }, seed);
        const held = new Map(fit.filter(isHeldNow).map((view) => [view.providerId, view.served?.failure] as const));
        const others = fit.length - held.size;
        expect(chosen.slice(0, others).filter((id) => held.has(id))).to.deep.equal([]);
        const last = chosen.slice(others).map((id) => held.get(id));
        for (const [at, failure] of last.entries()) {
          const next = last[at + 1];
          if (failure === undefined || next === undefined) continue;
          if (failure.kind === "lied") expect(next.kind).to.equal("lied");
          if ((failure.kind === "lied") === (next.kind === "lied")) expect(failure.atMs).to.be.at.most(next.atMs);
        }
      }),
    );
  });
});

describe("choosing providers", () => {
  it("gives newcomers their share of a deal, in its last slots, and fills up with vetted ones when there are too few", () => {
    const vetted = many(20);
    const fresh = many(20, NEW, 101);
    expect(newcomersOf(CODE)).to.equal(1);
    const chosen = select([...fresh, ...vetted]);
    expect(chosen.slice(0, 8).map((id) => id > 100)).to.deep.equal([...new Array<boolean>(7).fill(false), true]);
    // Spares are vetted: a newcomer that fails is not followed by another one.
    expect(chosen.slice(8).every((id) => id <= 100)).to.equal(true);
    expect(select(vetted)).to.have.length(12);
    const wide = select([...fresh, ...vetted], { code: { k: 10, n: 16 }, needed: 16, spares: 0 });
    expect(wide.filter((id) => id > 100)).to.have.length(3);
  });

  it("has shares of newcomers that no deal hangs on", () => {
    const shares = [
      [1, 2, 0],
      [2, 4, 1],
      [4, 8, 1],
      [10, 16, 3],
      [10, 20, 4],
      [20, 50, 10],
      [29, 31, 1],
    ].map(([k = 0, n = 0, share]) => [newcomersOf({ k, n }), share]);
    for (const [share, expected] of shares) expect(share).to.equal(expected);
  });

  it("works on a network of newcomers only, and with too few vetted ones", () => {
    expect(select(many(9, NEW))).to.have.length(9);
    const chosen = select([...many(3), ...many(9, NEW, 101)]);
    expect(chosen.slice(0, 3).sort()).to.deep.equal([1, 2, 3]);
  });

  it("counts the newcomers that hold slots of a deal already when it is repaired", () => {
    const holders = [viewOf(201, NEW)];
    const views = [...many(5), ...many(5, NEW, 101), ...holders];
    const exclude = new Set([201]);
    const without = select(views, { needed: 1, spares: 0, exclude, neighbours: [] });
    expect(without[0]).to.be.greaterThan(100);
    expect(select(views, { needed: 1, spares: 0, exclude, neighbours: holders })[0]).to.be.at.most(100);
  });

  it("takes one per owner, failure domain and network before a second one of any, at any fair price", () => {
    const crowd = many(20, { priceGwei: 100_000n }).map((view) => ({ ...view, endpoint: `http://192.0.2.${view.providerId}:1` }));
    const apart = many(7, { priceGwei: 200_000n }, 101);
    expect(select([...crowd, ...apart]).slice(0, 8)).to.include.members(apart.map(({ providerId }) => providerId));
    const sameOwner = many(20, { owner: "0xAB" });
    expect(
      select([...sameOwner, ...many(7, {}, 101)])
        .slice(0, 8)
        .filter((id) => id <= 100),
    ).to.have.length(1);
  });

  it("does not take a dear one for being alone somewhere, unless nobody else is left", () => {
    const crowd = many(11).map((view) => ({ ...view, endpoint: `http://192.0.2.${view.providerId}:1`, owner: "0xAB" }));
    const dear = viewOf(101, { priceGwei: 5_000_000n });
    expect(select([dear, ...crowd])).to.satisfy((ids: number[]) => ids.at(-1) === 101);
    expect(select([dear, ...crowd.slice(0, 7)])).to.include(101);
    // Newcomers that ask for nothing make nobody dear.
    const cheap = many(20, { ...NEW, priceGwei: 1_000n }, 201);
    expect(
      select([...cheap, ...crowd])
        .slice(0, 8)
        .filter((id) => id > 200),
    ).to.have.length(1);
  });

  it("prefers whoever serves, proves and is fast at the same price, and whoever is so much cheaper", () => {
    const fast = { seenAtMs: NOW_MS, failures: 0, lies: 0, readBytesPerSecond: 8_000_000, sentBytesPerSecond: 8_000_000 };
    const good = many(8, { served: fast });
    const worse: Made[] = [
      { score: 4_000 },
      { missedPeriods: 200 },
      { served: { ...fast, readBytesPerSecond: 500_000 } },
      { latencyMs: 2_000 },
    ];
    for (const made of worse) {
      const bad = many(4, { served: fast, ...made }, 101);
      expect(
        select([...bad, ...good])
          .slice(0, 8)
          .sort(),
        JSON.stringify(made),
      ).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
      const cheap = many(4, { served: fast, ...made, priceGwei: 100_000n }, 101);
      expect(
        select([...cheap, ...good])
          .slice(0, 4)
          .sort(),
        JSON.stringify(made),
      ).to.deep.equal([101, 102, 103, 104]);
    }
  });

  it("counts what a read costs as a read in 720 periods, and nothing that is no price", () => {
    const free = many(8);
    const asks = (readPriceGwei: bigint): ProviderView[] => many(4, { readPriceGwei }, 101);
    const first = (views: readonly ProviderView[]): boolean =>
      select([...views, ...free])
        .slice(0, 8)
        .every((providerId) => providerId <= 8);
    // Storing costs 1,024,000 gwei per GiB and period here, and what is within a tenth is equal.
    expect(first(asks(150_000_000n))).to.equal(true);
    expect(first(asks(10_000n))).to.equal(false);
    const odd = asks(1n).map(
      (view) => ({ ...view, info: { ...view.info, reads: { pricePerGibWei: "-1e99" } } }) as unknown as ProviderView,
    );
    expect(first(odd)).to.equal(false);
  });

  it("shares load among equals in proportion to the slots that they can take, which collateral bounds", () => {
    const views = [
      ...many(10),
      viewOf(11, { freeBytes: 300 * SLOT_BYTES }),
      // A slot locks 200,000 gwei here: enough for a hundred.
      viewOf(12, { freeBytes: 2 ** 50, freeCollateralWei: 20_000_000n * 1_000_000_000n }),
    ];
    const firsts = new Map<number, number>();
    const runs = 3_000;
    for (let seed = 0; seed < runs; seed += 1) {
      const [first = 0] = select(views, { needed: 1, spares: 0 }, seed);
      firsts.set(first, (firsts.get(first) ?? 0) + 1);
    }
    // Fourteen hundreds of slots in all.
    expect(firsts.get(11)).to.be.within((runs * 3 * 0.9) / 14, (runs * 3 * 1.1) / 14);
    for (const id of [1, 5, 10, 12]) expect(firsts.get(id), `provider ${id}`).to.be.within((runs * 0.8) / 14, (runs * 1.2) / 14);
  });

  it("takes those up again that have a part of a slot, full or not", () => {
    const full = viewOf(50, { freeBytes: 0, ...NEW });
    const chosen = select([...many(20), full], { begun: new Set([50, 7]) });
    expect(chosen.slice(0, 2).sort()).to.deep.equal([50, 7]);
    // One that failed since is no better than any other that did.
    const failed = viewOf(50, { served: heldFor(1_000, 5_000) });
    expect(select([...many(20), failed], { begun: new Set([50]), spares: 20 }).at(-1)).to.equal(50);
  });

  it("takes those last that have just let another deal wait, though not after those that failed, and those that have begun first", () => {
    const views = [...many(12), viewOf(13, { served: heldFor(1_000, 5_000) })];
    const chosen = select(views, { avoid: new Set([1, 2, 3]), begun: new Set([3]), spares: 20 });
    expect(chosen[0]).to.equal(3);
    expect(chosen.slice(-3, -1).sort()).to.deep.equal([1, 2]);
    expect(chosen.at(-1)).to.equal(13);
  });

  it("asks nobody for what its policy refuses, and counts the collateral that it puts down at least", () => {
    const policy = {
      periodsMin: 10,
      periodsMax: 100,
      minCollateralWei: "0",
      maxCollateralWei: "0",
      priceRisePercent: 0,
      isOpenToAll: true,
    };
    const withPolicy = (more: Partial<typeof policy> | { readonly hindrances: string[] }): ProviderView => {
      const view = viewOf(1);
      return view.info === undefined ? view : { ...view, info: { ...view.info, policy: { ...policy, hindrances: [], ...more } } };
    };
    const ofTerm = (periods: number) => () => select([withPolicy({})], { needed: 1, periods });
    for (const periods of [10, 100]) expect(ofTerm(periods)()).to.deep.equal([1]);
    for (const periods of [9, 101]) expect(ofTerm(periods)).to.throw("1: takes deals of 10 to 100 periods");
    expect(reasonAgainst(withPolicy({ hindrances: ["low on gas", "leaving"] }), 1)).to.equal("takes no slots now: low on gas, leaving");
    expect(reasonAgainst(withPolicy({ minCollateralWei: `1${"0".repeat(31)}` }), 1)).to.match(/a slot locks 10{31}$/);
    expect(reasonAgainst(withPolicy({ maxCollateralWei: "7" }), SLOT_BYTES)).to.match(
      /^puts at most 7 wei down for a slot, and this one locks \d+$/,
    );
  });

  it("says for each that is out why", () => {
    const views = [
      viewOf(1, { problem: "evicted in period 7" }),
      viewOf(2, { freeBytes: 5 }),
      viewOf(3, { freeCollateralWei: 1n }),
      viewOf(4, { freeCollateralWei: 1n }),
      viewOf(5),
    ];
    try {
      select(views);
      expect.fail("chosen all the same");
    } catch (error) {
      expect(isPpioError(error, "NOT_ENOUGH_PROVIDERS")).to.equal(true);
      expect(String(error)).to.contain("8 providers are needed and 1 can take a slot now (1: evicted in period 7; 2: has 5 bytes free");
      expect(String(error)).to.match(/3, 4: has 1 wei of free collateral, a slot locks \d+\)/);
    }
  });
});
