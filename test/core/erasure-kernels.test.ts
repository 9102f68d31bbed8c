import { randomBytes } from "node:crypto";
import { createErasureCoder, type ErasureOptions, hasSimd, isPpioError, SimdMemory } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
/** Enough to make an encoder compile a kernel of its own; decoders wait longer (erasure-patterns.test.ts). */
const WARM_BYTES = 1 << 20;

function code(k: number, n: number, data: readonly Uint8Array[], options: ErasureOptions, runs = 1): Uint8Array[] {
  const coded = Array.from({ length: n - k }, () => random(data[0]?.length ?? 0));
  const coder = createErasureCoder({ k, n }, options);
  for (let run = 0; run < runs; run += 1) coder.encode(data, coded);
  return coded;
}

describe("erasure kernels", () => {
  it("use SIMD here, so that these tests compare two kernels", () => {
    expect(hasSimd()).to.equal(true);
  });

  it("code as the plain twin does, with tables and with a kernel of their own", () => {
    const codes = fc.integer({ min: 2, max: 128 }).chain((n) => fc.tuple(fc.integer({ min: 1, max: n - 1 }), fc.constant(n)));
    fc.assert(
      fc.property(codes, fc.integer({ min: 1, max: 5 }), ([k, n], units) => {
        const data = Array.from({ length: k }, () => random(128 * units));
        const expected = code(k, n, data, { kernel: "plain" });
        expect(code(k, n, data, {})).to.deep.equal(expected);
        const runs = Math.ceil(WARM_BYTES / (k * 128 * units)) + 1;
        expect(code(k, n, data, {}, runs)).to.deep.equal(expected);
      }),
      {
        numRuns: 25,
        examples: [
          [[1, 2], 1],
          [[10, 16], 3],
          [[20, 40], 2],
          [[29, 80], 1],
          [[127, 128], 1],
          [[1, 128], 1],
          [[64, 128], 1],
        ],
      },
    );
  });

  it("rebuild random losses of what the plain twin coded", () => {
    const codes = fc.constantFrom([2, 4], [10, 16], [20, 40], [29, 80], [100, 128] as const);
    fc.assert(
      fc.property(codes, fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(), { minLength: 128, maxLength: 128 }), (kn, lost, order) => {
        const [k = 0, n = 0] = kn;
        const length = 384;
        const data = Array.from({ length: k }, () => random(length));
        const cells = [...data, ...code(k, n, data, { kernel: "plain" })].map((cell, index) => ({
          cell,
          index,
          rank: order[index] ?? 0,
        }));
        cells.sort((a, b) => a.rank - b.rank);
        const gone = cells.slice(0, Math.min(lost, n - k));
        const have = new Map(cells.slice(gone.length).map(({ cell, index }) => [index, cell]));
        const want = new Map(gone.map(({ index }) => [index, random(length)]));
        const coder = createErasureCoder({ k, n });
        coder.reconstruct(have, want);
        for (const { cell, index } of gone) expect(want.get(index), `cell ${index}`).to.deep.equal(cell);
      }),
      { numRuns: 40 },
    );
  });

  it("take cells of any place and length: in the coder's memory, outside, at odd addresses, in several blocks", () => {
    const memory = new SimdMemory(1 << 20);
    const length = 128 * 513;
    const data = [memory.allocate(length), random(length + 1).subarray(1), random(length)];
    data[0]?.set(random(length));
    const coder = createErasureCoder({ k: 3, n: 5 }, { memory });
    const expected = code(3, 5, data, { kernel: "plain" });
    const coded = [memory.allocate(length), new Uint8Array(length + 3).subarray(3)];
    for (let run = 0; run < 8; run += 1) {
      for (const cell of coded) cell.fill(run);
      coder.encode(data, coded);
      expect(coded.map((cell) => new Uint8Array(cell))).to.deep.equal(expected);
    }
  });

  it("say when there is no room and when a length is odd", () => {
    const memory = new SimdMemory(0);
    const codeOf = (action: () => unknown): string => {
      try {
        action();
      } catch (error) {
        return isPpioError(error) ? error.code : String(error);
      }
      return "accepted";
    };
    expect(codeOf(() => memory.allocate(1 << 20))).to.equal("BAD_FORMAT");
    for (const length of [0, -128, 127, 1.5]) expect(codeOf(() => memory.allocate(length))).to.equal("BAD_FORMAT");
    for (const room of [-1, 1.5, 2 ** 31]) expect(codeOf(() => new SimdMemory(room))).to.equal("BAD_FORMAT");
  });
});
