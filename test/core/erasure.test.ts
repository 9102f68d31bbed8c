import { randomBytes } from "node:crypto";
import { createErasureCoder, fieldInverse, fieldMultiply, fieldPoint, isPpioError, storedToStandard } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";

const PRESETS = [
  [1, 2],
  [2, 4],
  [4, 8],
  [10, 16],
  [10, 20],
  [20, 50],
  [29, 80],
  [127, 128],
] as const;

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

function segment(k: number, n: number, length: number): Uint8Array[] {
  const data = Array.from({ length: k }, () => random(length));
  const coded = Array.from({ length: n - k }, () => random(length));
  createErasureCoder({ k, n }).encode(data, coded);
  return [...data, ...coded];
}

/** Symbol `index` (0 to 127) of a 128-byte unit, in the standard basis. */
function symbol(unit: Uint8Array, index: number): number {
  let stored = 0;
  for (let plane = 0; plane < 8; plane += 1) stored |= (((unit[16 * plane + (index >> 3)] ?? 0) >> (index & 7)) & 1) << plane;
  return storedToStandard(stored);
}

/** The reference twin of docs/protocol/erasure.md: plain Lagrange interpolation through given points, evaluated at another. */
function interpolate(points: readonly (readonly [number, number])[], at: number): number {
  let sum = 0;
  for (const [x, y] of points) {
    let term = y;
    for (const [other] of points) if (other !== x) term = fieldMultiply(term, fieldMultiply(at ^ other, fieldInverse(x ^ other)));
    sum ^= term;
  }
  return sum;
}

function referenceCoded(data: readonly number[], n: number): number[] {
  const power = (value: number): number => 2 ** Math.ceil(Math.log2(value));
  const k = data.length;
  const m = n - k;
  const low = power(m) < power(k);
  const from = low ? power(m) : 0;
  const to = low ? power(power(m) + k) : power(k);
  const first = low ? 0 : power(k);
  const points = Array.from({ length: to - from }, (_, index) => [fieldPoint(from + index), data[index] ?? 0] as const);
  return Array.from({ length: m }, (_, index) => interpolate(points, fieldPoint(first + index)));
}

describe("erasure code", () => {
  for (const [k, n] of PRESETS.slice(0, 7)) {
    it(`codes ${k}/${n} as Lagrange interpolation does`, () => {
      const cells = segment(k, n, 128);
      for (const index of [0, 7, 8, 127]) {
        const symbols = cells.map((cell) => symbol(cell, index));
        expect(referenceCoded(symbols.slice(0, k), n)).to.deep.equal(symbols.slice(k));
      }
    });
  }

  it("rebuilds any missing cells from any k", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...PRESETS),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.nat(), { minLength: 128, maxLength: 128 }),
        ([k, n], units, order) => {
          const cells = segment(k, n, units * 128);
          const shuffled = cells.map((cell, index) => ({ cell, index, rank: order[index] ?? 0 })).sort((a, b) => a.rank - b.rank);
          const have = new Map(shuffled.slice(0, k).map(({ cell, index }) => [index, cell]));
          const want = new Map(shuffled.slice(k).map(({ cell, index }) => [index, new Uint8Array(cell.length)]));
          createErasureCoder({ k, n }).reconstruct(have, want);
          for (const [index, cell] of want) expect(cell, `cell ${index}`).to.deep.equal(cells[index]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("rebuilds a part from the same part of others, also at odd addresses", () => {
    const cells = segment(4, 8, 1024);
    const part = (cell: Uint8Array): Uint8Array => {
      const shifted = new Uint8Array(257);
      shifted.set(cell.subarray(256, 512), 1);
      return shifted.subarray(1);
    };
    const want = new Map([[2, part(new Uint8Array(1024))]]);
    createErasureCoder({ k: 4, n: 8 }).reconstruct(
      new Map([0, 5, 6, 7].map((index) => [index, part(cells[index] ?? new Uint8Array())])),
      want,
    );
    expect(want.get(2)).to.deep.equal(cells[2]?.slice(256, 512));
  });

  it("says what is wrong with too few cells, odd lengths and impossible codes", () => {
    const coder = createErasureCoder({ k: 2, n: 4 });
    const cell = new Uint8Array(128);
    const code = (action: () => void): string => {
      try {
        action();
      } catch (error) {
        return isPpioError(error) ? error.code : String(error);
      }
      return "accepted";
    };
    expect(code(() => coder.reconstruct(new Map([[0, cell]]), new Map([[1, cell]])))).to.equal("UNRECOVERABLE");
    expect(
      code(() =>
        coder.reconstruct(
          new Map([
            [0, cell],
            [4, cell],
          ]),
          new Map([[1, cell]]),
        ),
      ),
    ).to.equal("BAD_FORMAT");
    expect(code(() => coder.encode([cell, cell], [cell, new Uint8Array(127)]))).to.equal("BAD_FORMAT");
    for (const [k, n] of [
      [0, 1],
      [2, 2],
      [3, 2],
      [1, 129],
      [1.5, 3],
    ])
      expect(code(() => createErasureCoder({ k: k ?? 0, n: n ?? 0 }))).to.equal("BAD_FORMAT");
  });
});
